"""Makes the SQLite file of ML Metadata usable again."""

from __future__ import annotations

import os
import pathlib
import time

from components.common.errors import StoreError
from pipeline.local.lock import root_lock
from pipeline.store import copies, metadata_file
from pipeline.store.opening import bring_up_to_date, sqlite_config


def mend(path: pathlib.Path) -> list[str]:
    """Mend a metadata file.

    A damaged one is set aside, and the copy that the last complete run left is put
    in its place. What was executed since is executed again. Without a copy, the
    next run begins anew, with what is served for its baseline.

    Args:
        path: The file, or where it was.

    Returns:
        What was done, a line each; nothing if nothing was wrong.

    Raises:
        StoreError: If it cannot be mended from here.
    """
    state = metadata_file.examine(path, thorough=True)
    if state.problem == 'older':
        hint = 'put back a copy of it, or name another --root'
        bring_up_to_date(sqlite_config(path), str(path), hint)
        return [f'{path} was brought to the current schema']
    if state.problem and state.problem != 'damaged':
        raise StoreError(f'{path} {state.told}', hint=state.hint)
    if not state.problem and metadata_file.exists(path):
        return []
    with root_lock(path.parent):
        return _begin_anew(path, damaged=state.problem == 'damaged')


def _begin_anew(path: pathlib.Path, *, damaged: bool) -> list[str]:
    """Set a damaged file aside, and put back the copy; return what was done."""
    done = []
    if damaged:
        aside = _aside(path)
        # What SQLite has not yet put into the file belongs to it.
        for name in (path.name, f'{path.name}-journal'):
            if path.with_name(name).exists():
                os.replace(path.with_name(name), path.with_name(name.replace(path.name, aside)))
        done.append(f'the damaged {path.name} is now {path.with_name(aside)}')
    made = copies.put_back(path)
    if made:
        done.append(f'{path} is the copy of {made} again; the next run does what came after it')
    elif done:
        done.append(
            'there is no copy of it: the next run does everything anew; its baseline is what is '
            'served'
        )
    return done


def _aside(path: pathlib.Path) -> str:
    base = f'{path.name}.damaged-{time.strftime("%Y-%m-%dT%H-%M-%S")}'
    attempts = (base if n == 1 else f'{base}-{n}' for n in range(1, 1_000))
    return next(name for name in attempts if not path.with_name(name).exists())
