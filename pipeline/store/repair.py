"""What `repair` does: makes the metadata below a root usable again."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import time

from components.errors import DataError, StoreError
from pipeline.logs import no_framework_noise
from pipeline.run_lock import run_lock
from pipeline.store import copies, metadata_file


def repair(root: str | None, *, as_json: bool) -> None:
    """Mend the metadata, and say what was done.

    Raises:
        DataError: If no run has written there.
        StoreError: If it cannot be mended from here.
        ConfigError: If a run is under way.
    """
    folder = pathlib.Path(os.path.abspath(root or 'runs'))
    path = folder / metadata_file.METADATA
    if not folder.is_dir():
        raise DataError(f'no run below {folder}', hint='name its --root')
    with contextlib.ExitStack() as stack:
        for lock in folder.glob('locks/*.lock'):
            stack.enter_context(run_lock(folder, lock.stem))
        done = mend(path)
    if as_json:
        print(json.dumps({'metadata': str(path), 'done': done}, indent=2))
        return
    for line in done or [f'{path} is as it should be; a run checks all else by itself']:
        print(line)


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
    done = []
    if state.problem == 'older':
        _bring_up_to_date(path)
        return [f'{path} was brought to the current schema']
    if state.problem == 'damaged':
        aside = _aside(path)
        # What SQLite has not yet put into the file belongs to it.
        for name in (path.name, f'{path.name}-journal'):
            if path.with_name(name).exists():
                os.replace(path.with_name(name), path.with_name(name.replace(path.name, aside)))
        done.append(f'the damaged {path.name} is now {path.with_name(aside)}')
    elif state.problem:
        raise StoreError(f'{path} {state.told}', hint=state.hint)
    elif metadata_file.exists(path):
        return []
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


def _bring_up_to_date(path: pathlib.Path) -> None:
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    try:
        with no_framework_noise():
            metadata_store.MetadataStore(config, enable_upgrade_migration=True)
    except RuntimeError as err:
        raise StoreError(
            f'{path} cannot be brought to the current schema: {" ".join(str(err).split())[:200]}',
            hint='put back a copy of it, or name another --root',
        ) from err
