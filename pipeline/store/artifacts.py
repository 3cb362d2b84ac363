"""Records the files that nodes write, and finds later damage.

ML Metadata records the folder of an artifact, not its files, and TFX reuses whatever it
finds there. A manifest below the root therefore describes the files of each artifact.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pydantic

from components.common.atomic_write import atomic_write
from components.common.errors import StoreError
from pipeline.store.folders import ROOT_ID

# Up to this size of an artifact, all its bytes are compared, which takes 0.2 s. Above it, only
# files with a new modification time are compared byte by byte. Examples, the largest artifacts,
# contain checksums that readers verify.
_COMPARED_BYTES = 1 << 28

Artifacts = Mapping[str, Sequence[Any]]


@dataclasses.dataclass(frozen=True)
class _File:
    """A file at the time it was written: its size in bytes, and nanoseconds since 1970."""

    size: int
    mtime_ns: int
    sha256: str


_MANIFEST = pydantic.TypeAdapter(dict[str, _File])


class ArtifactKeeper:
    """Records the files of each artifact, and finds damage.

    Args:
        root: The folder for all that runs write.

    Example:
        keeper = ArtifactKeeper(root)
        keeper.keep(outputs)
        keeper.find_damage(outputs)  # None, as long as nobody changes the files
    """

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root

    def keep(self, outputs: Artifacts) -> None:
        """Record the files of complete artifacts, if they are not recorded yet."""
        for folder in _folders(outputs):
            path = manifest_path(folder)
            # The artifacts of another root are recorded by its own runs.
            if path is None or path.parents[4] != self._root:
                continue
            if not path.exists() and folder.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                files = {
                    name: _File(file.stat().st_size, file.stat().st_mtime_ns, _sha256(file))
                    for name, file in _files(folder).items()
                }
                atomic_write(path, _MANIFEST.dump_json(files, indent=1))

    def damage(self, folder: pathlib.Path, *, thorough: bool = False) -> str | None:
        """Return the first difference between an artifact and its manifest.

        Args:
            folder: The artifact.
            thorough: Whether to compare all bytes, even if the artifact is large.

        Returns:
            A message, for example `…/Split-train/a.gz was deleted`; None without a difference.
        """
        path = manifest_path(folder)
        if not folder.is_dir():
            return f'{folder} {self._absence(path)}'
        if path is None or not path.exists():
            # Older versions recorded nothing, or the run was killed before it could.
            return None
        try:
            manifest = _MANIFEST.validate_json(path.read_bytes())
        except (OSError, ValueError):
            return f'{path}, the record of the files in {folder}, cannot be read'
        thorough = thorough or sum(file.size for file in manifest.values()) <= _COMPARED_BYTES
        for name, written in manifest.items():
            found = _difference(folder / name, written, thorough=thorough)
            if found:
                return f'{folder / name} {found}'
        # An added file is damage, because readers read every file that matches their pattern.
        extra = _files(folder).keys() - manifest.keys()
        return f'{folder / min(extra)} was added' if extra else None

    def _absence(self, manifest: pathlib.Path | None) -> str:
        root = self._root if manifest is None else manifest.parents[4]
        # An empty folder may be the mount point of a root that is not mounted.
        if root == self._root or (root / ROOT_ID).exists():
            return 'was deleted'
        return 'is below another root, which cannot be reached from here'

    def find_damage(self, outputs: Artifacts) -> str | None:
        """Return what is wrong with the first damaged artifact, None if none is."""
        return next(filter(None, map(self.damage, _folders(outputs))), None)

    def damaged_input(self, node_id: str, inputs: Mapping[str, Artifacts]) -> StoreError | None:
        """Return the error for a failed node with a damaged input, None if no input is damaged.

        Args:
            node_id: The node.
            inputs: Its input artifacts, by the node that wrote them.
        """
        for origin, artifacts in inputs.items():
            for folder in _folders(artifacts):
                found = self.damage(folder, thorough=True)
                if found:
                    return StoreError(
                        f'{node_id} failed: an output of {origin} that it reads is damaged: '
                        f'{found}',
                        hint=f'run the same command with --again {origin}',
                    )
        return None


def manifest_path(artifact: pathlib.Path) -> pathlib.Path | None:
    """Return the path of the manifest of an artifact; None if it is not below a root.

    >>> manifest_path(pathlib.Path('runs/artifacts/sentiment/Trainer/model/7')).as_posix()
    'runs/manifests/sentiment/Trainer/model/7.json'
    """
    parents = artifact.parents
    if len(parents) < 5 or parents[3].name != 'artifacts':
        return None
    return parents[4] / 'manifests' / f'{artifact.relative_to(parents[3])}.json'


def highest_execution(root: pathlib.Path) -> int:
    """Return the highest id of an execution that left a folder of outputs, or 0."""
    folders = root.glob('artifacts/*/*/*/*')
    return max((int(path.name) for path in folders if path.name.isdecimal()), default=0)


def _folders(outputs: Artifacts) -> Iterator[pathlib.Path]:
    for artifacts in outputs.values():
        for artifact in artifacts:
            yield pathlib.Path(artifact.uri)


def _files(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Return all files in a folder by relative path."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob('*'))
        if not path.is_dir()
    }


def _difference(path: pathlib.Path, written: _File, *, thorough: bool) -> str | None:
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


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
