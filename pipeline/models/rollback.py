"""Makes an earlier version the live version again."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from components.common.errors import DataError
from components.common.model_identity import identity_of_model, names_of_model
from components.common.model_versions import (
    CARD_PATH,
    RESTORED_PATH,
    SAVED_MODEL_FILE,
    Restored,
    digest_of_model,
    recorded_digest,
)
from components.common.rollback_state import (
    Withdrawal,
    read_withdrawals,
    with_identities,
    write_withdrawals,
)
from components.common.serving_lock import serving_lock
from components.pusher.publish import publish_locally
from components.smoke_test.run import SmokeTestError, smoke_test
from pipeline.models.listing import ServingFolder, Version, require_versions


class RolledBack(NamedTuple):
    """The changes of a rollback.

    Attributes:
        was: The version that was live.
        now: The version that is live.
        withdrawn: The versions whose models are newly withdrawn.
        lifted: The versions whose models are no longer withdrawn.
    """

    was: Version
    now: Version
    withdrawn: tuple[str, ...]
    lifted: tuple[str, ...]


def rollback(folder: ServingFolder, version: str | None = None) -> RolledBack:
    """Make a version the live version: a copy of it becomes the highest version.

    The models that were pushed after the restored version are withdrawn: a run that
    trains one of them again does not push it, and none of them is a baseline. The
    restored model and the models that were pushed before it are no longer withdrawn.
    A second rollback can therefore undo the first. Models are the same if they share one of
    their `names_of_model`, also if they were trained and pushed twice.

    Args:
        folder: The serving folder.
        version: The version to restore; None for the one that was live before. Versions
            of the live model and of withdrawn models are skipped then.

    Returns:
        The changes.

    Raises:
        DataError: If the version does not exist or is damaged, there is no earlier
            version, or the folder is not writable.
        ComponentError: If another process holds the lock of the folder.

    Example:
        rollback(ServingFolder(root='runs')).now.name
    """
    require_versions(folder)
    with readable_errors(folder.path), serving_lock(str(folder.path)):
        versions = require_versions(folder)
        was = versions[-1]
        before = with_identities(str(folder.path), read_withdrawals(str(folder.path)))
        if version is None:
            target = _version_before(folder, versions, before)
        else:
            target = _find_version(folder, versions, version)
        if _names(target) & _names(was):
            raise DataError(
                f'version {target.name} is live already, as version {was.name}',
                hint='nothing was changed; pipeline_runner.py models lists the versions',
            )
        digest = digest_of_model(str(target.path))
        _require_sound(target, digest)
        at = time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())
        after = _withdrawals_after(versions, before, target, at)
        # Written first: no run pushes a withdrawn model, even if the process is killed now.
        write_withdrawals(str(folder.path), after)
        restored = Restored(version=target.restores or target.name, instead_of=was.name, at=at)
        publish_locally(
            str(target.path),
            str(folder.path),
            _extra_files(target.path, restored),
            digest=digest,
            copy_file=_link_or_copy,
        )
        now = require_versions(folder)[-1]
    return RolledBack(was, now, _versions_only_in(after, before), _versions_only_in(before, after))


def _names(version: Version) -> frozenset[str]:
    return names_of_model(str(version.path))


def _version_before(
    folder: ServingFolder, versions: Sequence[Version], withdrawals: Mapping[str, Withdrawal]
) -> Version:
    *earlier, live = versions
    of_live = _names(live)
    unwanted = of_live.union(withdrawals, (found.identity for found in withdrawals.values()))
    # A restored version is as old as its original, so two rollbacks go two versions back.
    for version in reversed(earlier):
        if version.origin < live.origin and not _names(version) & unwanted:
            return version
    others = _join_names([version for version in earlier if not _names(version) & of_live])
    raise DataError(
        f'there is no version to go back to: expected one before {live.origin} in '
        f'{folder.path} that is another model and not withdrawn',
        hint=f'name a version: {others}' if others else 'run the pipeline to push another one',
    )


def _find_version(folder: ServingFolder, versions: Sequence[Version], name: str) -> Version:
    for version in versions:
        # A folder may be named 007; withdrawals and hints name numbers.
        if name.isdecimal() and int(version.name) == int(name):
            return version
    if (folder.path / name).is_dir():
        message = f'version {name} is damaged: it has no {SAVED_MODEL_FILE}'
    else:
        message = f'no version {name!r} in {folder.path}'
    raise DataError(message, hint=f'name one of {_join_names(versions)}')


def _join_names(versions: Sequence[Version]) -> str:
    return ', '.join(version.name for version in versions)


def _require_sound(version: Version, digest: str) -> None:
    hint = 'nothing was changed; name another version, or run the pipeline'
    if recorded_digest(str(version.path)) not in (digest, None):
        message = (
            f'version {version.name} is damaged: its files do not have the digest that was recorded'
        )
        raise DataError(message, hint=hint)
    try:
        smoke_test(str(version.path), must_explain=False)
    except SmokeTestError as err:
        raise DataError(f'version {version.name} cannot be served: {err}', hint=hint) from err


def _withdrawals_after(
    versions: Sequence[Version], known: Mapping[str, Withdrawal], target: Version, at: str
) -> dict[str, Withdrawal]:
    """Return the withdrawals when the model of `target` is live."""
    later = {
        digest_of_model(path): Withdrawal(str(version.origin), at, identity_of_model(path))
        for version in versions
        for path in [str(version.path)]
        if version.origin > target.origin
    }
    still = {d: w for d, w in known.items() if int(w.version) > target.origin}
    names = _names(target)
    return {d: w for d, w in {**later, **still}.items() if not names & {d, w.identity}}


def _versions_only_in(
    some: dict[str, Withdrawal], others: dict[str, Withdrawal]
) -> tuple[str, ...]:
    return tuple(sorted((some[d].version for d in some.keys() - others.keys()), key=int))


def _extra_files(version: pathlib.Path, restored: Restored) -> dict[str, str]:
    notes = {RESTORED_PATH: json.dumps(restored._asdict(), indent=2) + '\n'}
    card = version / CARD_PATH
    if card.is_file():
        title, _, rest = card.read_text(encoding='utf-8').partition('\n')
        message = (
            f'A copy of version {restored.version}, made by a rollback on {restored.at} in place '
            f'of version {restored.instead_of}.'
        )
        notes[CARD_PATH] = f'{title}\n\n{message}\n{rest}'
    return notes


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # some file systems have no hard links, and files of other users allow none
        shutil.copyfile(source, target)


@contextlib.contextmanager
def readable_errors(serving_dir: pathlib.Path) -> Iterator[None]:
    """Turn OSErrors about a serving folder into DataErrors with a message of one line.

    Raises:
        DataError: In place of an OSError.
    """
    try:
        yield
    except OSError as err:
        raise DataError(
            f'{serving_dir} cannot be changed: {err.strerror or err}'
            + (f': {err.filename}' if err.filename else ''),
            hint='the live version stays live; see `ls -ld` for permissions, `df` for free space',
        ) from err
