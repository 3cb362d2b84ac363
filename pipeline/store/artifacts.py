"""Records the files that nodes write, and checks later that they are unchanged."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx.types import Artifact

from components.common.errors import StoreError
from pipeline.store import manifest
from pipeline.store.root_id import is_within_reach

Artifacts = Mapping[str, Sequence[Artifact]]


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
        for artifact in _all_artifacts(outputs):
            folder = pathlib.Path(artifact.uri)
            path = manifest.manifest_path(folder)
            # The artifacts of another root are recorded by its own runs.
            if path is None or manifest.root_of(folder) != self._root:
                continue
            if not path.exists() and folder.is_dir():
                manifest.save(path, manifest.take(folder))

    def damage(self, artifact: Any, *, thorough: bool = False) -> str | None:
        """Return what is wrong with an artifact, None if nothing is.

        Args:
            artifact: A TFX or ML Metadata artifact.
            thorough: Whether to compare the bytes of large artifacts, too.
        """
        folder = pathlib.Path(artifact.uri)
        path = manifest.manifest_path(folder)
        if path is None or not path.exists():
            # Older versions recorded nothing, or the run was killed before it could.
            return None if folder.exists() else f'{folder} {self._absence(folder)}'
        written = manifest.load(path)
        if written is None:
            return f'{path}, the record of the files in {folder}, cannot be read'
        return manifest.damage(folder, written, thorough=thorough)

    def _absence(self, folder: pathlib.Path) -> str:
        root = manifest.root_of(folder)
        if root is None or root == self._root or is_within_reach(root):
            return 'was deleted'
        return 'is below another root, which cannot be reached from here'

    def find_damage(self, outputs: Artifacts) -> str | None:
        """Return what is wrong with the first damaged artifact, None if none is."""
        return next(filter(None, map(self.damage, _all_artifacts(outputs))), None)

    def damaged_input(self, node_id: str, inputs: Mapping[str, Artifacts]) -> StoreError | None:
        """Return the error for a failed node with a damaged input, None if no input is damaged.

        Args:
            node_id: The node.
            inputs: Its input artifacts, by the node that wrote them.
        """
        for origin, artifacts in inputs.items():
            for artifact in _all_artifacts(artifacts):
                found = self.damage(artifact, thorough=True)
                if found:
                    return StoreError(
                        f'{node_id} failed: an output of {origin} that it reads is damaged: '
                        f'{found}',
                        hint=f'run the same command with --again {origin}',
                    )
        return None


def _all_artifacts(outputs: Artifacts) -> Iterator[Artifact]:
    for artifacts in outputs.values():
        yield from artifacts
