"""Checks, before a run starts, that it can write to its folders."""

from __future__ import annotations

import errno
import os
import pathlib
import shutil
from typing import NamedTuple

from components.common.errors import ConfigError
from components.common.patterns import require_no_pattern

# A run with less than this certainly fails: its log, metadata and record need more.
_MIN_FREE_BYTES = 1 << 20
_FOLDERS_OF_ROOT = ('artifacts', 'locks', 'logs', 'manifests', 'records', 'reports', 'tmp')


class Obstacle(NamedTuple):
    """The reason why a folder is not writable, and what to do about it."""

    told: str
    hint: str


def obstacle(folder: pathlib.Path) -> Obstacle | None:
    """Return why a folder cannot be created or written to; None if it can. Nothing is changed."""
    if folder.is_symlink() and not folder.exists():
        return Obstacle(
            f'it is a symbolic link to {os.readlink(folder)}, which is not there', 'remove it'
        )
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return Obstacle(
            f'{place} is not a folder', f'move {place} away, or name a folder that can be written'
        )
    if not os.access(place, os.W_OK | os.X_OK):
        return Obstacle(
            _reason(place), f'have {place} made writable, or name a folder that can be written'
        )
    if shutil.disk_usage(place).free < _MIN_FREE_BYTES:
        return Obstacle('no space left on the disk', 'make room')
    return None


def _reason(place: pathlib.Path) -> str:
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return os.strerror(errno.EROFS)
    owner = place.stat().st_uid
    if owner != os.geteuid():
        return f'{place} belongs to user {owner}, and this is user {os.geteuid()}'
    return f'{place} is not writable'


def require_writable(root: pathlib.Path, serving_dir: pathlib.Path) -> None:
    """Check all folders that a run writes to.

    Args:
        root: The pipeline root.
        serving_dir: The folder of pushed versions.

    Raises:
        ConfigError: If a folder cannot be created or written to, or if its path contains
            characters that TensorFlow reads as a pattern.
    """
    require_no_pattern('root', str(root))
    require_no_pattern('folder of versions', str(serving_dir))
    for what, folder in [
        ('root', root),
        *((f'folder of {name}', root / name) for name in _FOLDERS_OF_ROOT),
        ('folder of versions', serving_dir),
    ]:
        found = obstacle(folder)
        if found:
            raise ConfigError(f'cannot write to the {what} {folder}: {found.told}', hint=found.hint)
