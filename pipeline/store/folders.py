"""Checks, before a run starts, that it can write to its folders."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile

from components.common.errors import ConfigError
from components.common.patterns import require_no_pattern

# A run with less than this certainly fails: its log, metadata and record need more.
_MIN_FREE_BYTES = 1 << 20
# File with the id of a root; it shows that the root is mounted.
ROOT_ID = 'root.id'
_FOLDERS_OF_ROOT = ('artifacts', 'locks', 'logs', 'manifests', 'records', 'reports', 'tmp')


def require_writable(root: pathlib.Path, serving_dir: pathlib.Path) -> None:
    """Check all folders that a run writes to. Nothing is changed.

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
        # The folder, or the one in which it would be created.
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        reason = _obstacle(place)
        if reason:
            raise ConfigError(
                f'cannot write to the {what} {folder}: {place}: {reason}',
                hint='correct this, or pass another folder: --root DIR or --serving-dir DIR',
            )


def _obstacle(folder: pathlib.Path) -> str | None:
    """Return why files in a folder cannot be written; None if they can."""
    try:
        with tempfile.TemporaryFile(dir=folder):  # has no name, so nobody sees it
            pass
    except OSError as err:
        return err.strerror or str(err)
    return 'no space left' if shutil.disk_usage(folder).free < _MIN_FREE_BYTES else None


def cannot_write(root: pathlib.Path, error: OSError) -> ConfigError:
    """Return the error for a root that is not writable."""
    return ConfigError(
        f'cannot write to the root {root}: {error.strerror or error}',
        hint='pass a writable folder: --root DIR',
    )
