"""Manifests: the files of an artifact, so that a later run detects damage.

ML Metadata records the folder of an artifact, not its files, and TFX reuses whatever it
finds there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator

import pydantic

from components.common.atomic_write import atomic_write

# Up to this size of an artifact, all its bytes are compared, which takes 0.2 s. Above it, only
# files with a new modification time are compared byte by byte. Examples, the largest artifacts,
# contain checksums that readers verify.
_COMPARED_BYTES = 1 << 28

MANIFESTS = 'manifests'


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """A file at the time it was written.

    Attributes:
        size: In bytes.
        mtime_ns: Time of modification, in nanoseconds since 1970.
        sha256: Digest of the content, 64 hexadecimal digits.
    """

    size: int
    mtime_ns: int
    sha256: str


Manifest = dict[str, WrittenFile]
_FORMAT = pydantic.TypeAdapter(Manifest)


def root_of(artifact: pathlib.Path) -> pathlib.Path | None:
    """Return the pipeline root of an artifact; None if it is not in a root.

    Args:
        artifact: Its folder, ROOT/artifacts/NAME/NODE/OUTPUT/ID.
    """
    parents = artifact.parents
    return parents[4] if len(parents) > 4 and parents[3].name == 'artifacts' else None


def manifest_path(artifact: pathlib.Path) -> pathlib.Path | None:
    """Return the path of the manifest of an artifact folder; None if it is not in a root."""
    root = root_of(artifact)
    if root is None:
        return None
    return root / MANIFESTS / f'{artifact.relative_to(root / "artifacts")}.json'


def highest_execution(artifacts: pathlib.Path) -> int:
    """Return the highest id of an execution that left a folder `NAME/NODE/OUTPUT/ID`, or 0."""
    return max(
        (int(p.name) for p in artifacts.glob('*/*/*/*') if p.name.isdecimal()), default=0
    )


def take(folder: pathlib.Path) -> Manifest:
    """Describe all files in a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): WrittenFile(
            size=path.stat().st_size, mtime_ns=path.stat().st_mtime_ns, sha256=_sha256(path)
        )
        for path in _files(folder)
    }


def save(path: pathlib.Path, manifest: Manifest) -> None:
    """Write a manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, _FORMAT.dump_json(manifest, indent=1))


def load(path: pathlib.Path) -> Manifest | None:
    """Read a manifest; return None if it is missing or damaged."""
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def damage(
    folder: pathlib.Path,
    manifest: Manifest,
    *,
    thorough: bool = False,
) -> str | None:
    """Return the first difference between a folder and its manifest.

    Args:
        folder: The artifact.
        manifest: Its files as they were written.
        thorough: Compare all bytes, even if the artifact is large.

    Returns:
        A message, for example `…/Split-train/a.gz was deleted`; None if there is no difference.
    """
    if not folder.is_dir():
        return f'{folder} was deleted'
    total = sum(file.size for file in manifest.values())
    for name, written in manifest.items():
        found = _difference(folder / name, written, thorough=thorough or total <= _COMPARED_BYTES)
        if found:
            return f'{folder / name} {found}'
    extra = {path.relative_to(folder).as_posix() for path in _files(folder)} - manifest.keys()
    # An added file is damage, because readers read every file that matches their pattern.
    return f'{folder / min(extra)} was added' if extra else None


def _difference(path: pathlib.Path, written: WrittenFile, *, thorough: bool) -> str | None:
    try:
        status = path.stat()
        if status.st_size != written.size:
            return f'has {status.st_size:,} bytes, was written with {written.size:,}'
        touched = status.st_mtime_ns != written.mtime_ns
        if (touched or thorough) and _sha256(path) != written.sha256:
            return 'was changed'
    except FileNotFoundError:
        return 'was deleted'
    except OSError as err:
        return f'cannot be read: {err.strerror}'
    return None


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield pathlib.Path(parent, name)


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
