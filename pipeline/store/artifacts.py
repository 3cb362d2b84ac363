"""Looks closely at what a node would take from the cache, before it is taken."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx.orchestration.portable import cache_utils
from tfx.types import Artifact

from components.common.errors import StoreError
from pipeline.store import manifest
from pipeline.store.root_id import is_within_reach

Artifacts = Mapping[str, Sequence[Artifact]]


class ArtifactKeeper:
    """Knows of each artifact what was written into it.

    Args:
        root: The folder for all that runs write.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root

    def keep(self, outputs: Artifacts) -> None:
        """Remember what is in artifacts that are complete, if that is not known yet."""
        for artifact in _all(outputs):
            folder = pathlib.Path(artifact.uri)
            path = manifest.manifest_path(folder)
            # What is another root's, its own run remembers.
            if path is None or manifest.root_of(folder) != self._root:
                continue
            if not path.exists() and folder.is_dir():
                manifest.save(path, manifest.take(folder))

    def damage(self, artifact: Any, *, thorough: bool = False) -> str | None:
        """Tell what is wrong with an artifact, None if nothing is."""
        folder = pathlib.Path(artifact.uri)
        path = manifest.manifest_path(folder)
        if path is None or not path.exists():
            # An older version of this code kept none, or the run was killed between the two.
            return None if folder.exists() else f'{folder} {self._absence(folder)}'
        written = manifest.load(path)
        if written is None:
            return f'{path}, which tells what was in {folder}, cannot be read'
        return manifest.damage(folder, written, thorough=thorough)

    def _absence(self, folder: pathlib.Path) -> str:
        root = manifest.root_of(folder)
        if root is None or root == self._root or is_within_reach(root):
            return 'was deleted'
        return 'is below another root, which cannot be reached from here'

    def damaged_input(self, node_id: str, inputs: Mapping[str, Artifacts]) -> StoreError | None:
        """Say what is wrong with what a node that failed was to read, None if nothing is.

        Args:
            node_id: The node.
            inputs: Artifacts by the node that made them.
        """
        for origin, artifacts in inputs.items():
            for artifact in _all(artifacts):
                found = self.damage(artifact, thorough=True)
                if found:
                    return StoreError(
                        f'{node_id} failed, as what it reads of {origin} is damaged: {found}',
                        hint=f'the same command with --again {origin} makes it anew',
                    )
        return None

    @contextlib.contextmanager
    def watching_cache(self) -> Iterator[list[str]]:
        """Have TFX pass over cached outputs that are no longer what was written.

        TFX itself looks whether their folders exist, and takes an older execution
        or executes the node where one does not.

        Yields:
            What was found to be wrong, while the block runs.
        """
        refused: list[str] = []

        def verify(outputs: Artifacts) -> None:
            for artifact in _all(outputs):
                found = self.damage(artifact)
                if found:
                    refused.append(found)
                    raise RuntimeError(found)

        # The one place where TFX asks for it; it has no parameter.
        utils = cache_utils.artifact_utils
        cache_utils.artifact_utils = _Verifying(utils, verify)
        try:
            yield refused
        finally:
            cache_utils.artifact_utils = utils


class _Verifying:
    """A module, but for one function."""

    def __init__(self, module: Any, verify: Any) -> None:
        self._module = module
        self.verify_artifacts = verify

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _all(outputs: Artifacts) -> Iterator[Artifact]:
    for artifacts in outputs.values():
        yield from artifacts
