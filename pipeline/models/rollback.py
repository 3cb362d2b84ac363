"""Makes an earlier version the live one."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from components.common.errors import DataError
from components.common.model_versions import (
    CARD_PATH,
    RESTORED_PATH,
    SAVED_MODEL_FILE,
    Restored,
    digest_of_model,
    recorded_digest,
)
from components.common.rollback_state import Withdrawal, read_withdrawals, write_withdrawals
from components.common.serving_lock import serving_lock
from components.pusher.publish import publish_locally
from components.smoke_test.run import SmokeTestError, smoke_test
from pipeline.models.listing import Place, Version, require_versions


class RolledBack(NamedTuple):
    """What a rollback changed.

    Attributes:
        was: What was live.
        now: What is live.
        withdrawn: The versions whose models are withdrawn since.
        lifted: Those whose models are not withdrawn any more.
    """

    was: Version
    now: Version
    withdrawn: tuple[str, ...]
    lifted: tuple[str, ...]


def rollback(place: Place, version: str | None = None) -> RolledBack:
    """Make a version the live one: a copy of it becomes the highest version.

    What was pushed after the version that is restored is withdrawn: a run that
    makes one of these models again does not push it, and no candidate is
    compared with them. What was pushed before, and what is restored, is not
    withdrawn any more: so a rollback is undone by another one.

    Args:
        place: Where the versions are.
        version: Which one; None for the one that was live before.

    Returns:
        What changed.

    Raises:
        DataError: If there is no such version, or it is damaged, or nothing to
            go back to, or the folder cannot be written to.
        ComponentError: If another process holds the folder.
    """
    require_versions(place)
    with readable_errors(place.path), serving_lock(str(place.path)):
        versions = require_versions(place)
        was = versions[-1]
        target = _find(place, versions, version)
        digest = digest_of_model(str(target.path))
        if digest == digest_of_model(str(was.path)):
            raise DataError(f'version {target.name} is what is live already, as {was.name}')
        _require_sound(target, digest)
        at = time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())
        before = read_withdrawals(str(place.path))
        after = _withdrawals(versions, before, target.origin, digest, at)
        # First, so that the old model does not come back if this is the last that happens.
        write_withdrawals(str(place.path), after)
        restored = Restored(version=str(target.origin), instead_of=was.name, at=at)
        publish_locally(
            str(target.path),
            str(place.path),
            _notes(target.path, restored),
            digest=digest,
            copy_file=_link_or_copy,
        )
        now = require_versions(place)[-1]
    return RolledBack(was, now, _only_in(after, before), _only_in(before, after))


def _find(place: Place, versions: Sequence[Version], name: str | None) -> Version:
    *earlier, live = versions
    if name is None:
        # What a rollback restored is as old as what it is a copy of: two in a row go further back.
        older = [v for v in earlier if v.origin < live.origin and v.withdrawal is None]
        if not older:
            others = _names([v for v in earlier if v.origin != live.origin])
            raise DataError(
                f'there is nothing to go back to: no version before {live.origin} in {place.path} '
                'that is not withdrawn',
                hint=f'name one: {others}' if others else 'there is no other',
            )
        return older[-1]
    for version in versions:
        if version.name == name:
            return version
    if (place.path / name).is_dir():
        told = f'version {name} is damaged: it has no {SAVED_MODEL_FILE}'
    else:
        told = f'no version {name!r} in {place.path}'
    raise DataError(told, hint=f'there are {_names(versions)}')


def _names(versions: Sequence[Version]) -> str:
    return ', '.join(version.name for version in versions)


def _require_sound(version: Version, digest: str) -> None:
    """Check that a version is as it was pushed, and can be served."""
    hint = 'nothing was changed; name another version, or run the pipeline again'
    if recorded_digest(str(version.path)) not in (digest, None):
        told = f'version {version.name} is damaged: its files are not those that were pushed'
        raise DataError(told, hint=hint)
    try:
        smoke_test(str(version.path), must_explain=False)
    except SmokeTestError as err:
        raise DataError(f'version {version.name} cannot be served: {err}', hint=hint) from err


def _withdrawals(
    versions: Sequence[Version],
    known: dict[str, Withdrawal],
    origin: int,
    digest: str,
    at: str,
) -> dict[str, Withdrawal]:
    """Return what is withdrawn when the model pushed as `origin` is live."""
    later = {
        digest_of_model(str(version.path)): Withdrawal(str(version.origin), at)
        for version in versions
        if version.origin > origin
    }
    still = {d: w for d, w in known.items() if int(w.version) > origin}
    return {d: w for d, w in {**later, **still}.items() if d != digest}


def _only_in(
    some: dict[str, Withdrawal], others: dict[str, Withdrawal]
) -> tuple[str, ...]:
    return tuple(sorted((some[d].version for d in some.keys() - others.keys()), key=int))


def _notes(version: pathlib.Path, restored: Restored) -> dict[str, str]:
    notes = {RESTORED_PATH: json.dumps(restored._asdict(), indent=2) + '\n'}
    card = version / CARD_PATH
    if card.is_file():
        title, _, rest = card.read_text(encoding='utf-8').partition('\n')
        told = (
            f'A copy of version {restored.version}, made by a rollback on {restored.at} in place '
            f'of version {restored.instead_of}.'
        )
        notes[CARD_PATH] = f'{title}\n\n{told}\n{rest}'
    return notes


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # the file system has no links, or not to what belongs to others
        shutil.copyfile(source, target)


@contextlib.contextmanager
def readable_errors(serving_dir: pathlib.Path) -> Iterator[None]:
    """Say in one line what the system does not let a command do.

    Raises:
        DataError: In place of an OSError.
    """
    try:
        yield
    except OSError as err:
        raise DataError(
            f'{serving_dir} cannot be changed: {err.strerror or err}'
            + (f': {err.filename}' if err.filename else ''),
            hint='what is live stays so; `ls -ld` says who may write there, `df` what is free',
        ) from err
