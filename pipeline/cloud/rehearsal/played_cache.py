"""The emulated cache of a service: outputs of steps, by cache key.

Kubeflow and Vertex look up the outputs of a step by a fingerprint of its inputs.
Here, each fingerprint is a file, kept from one rehearsal to the next.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import secrets
from collections.abc import Mapping
from typing import Any

from components.common.atomic_write import atomic_write
from components.common.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredArtifact:
    """An artifact as a service records it.

    Attributes:
        id: Unique id.
        type: `ArtifactTypeSchema`.
        uri: Location of the files.
        metadata: Properties, as JSON values.
    """

    id: int
    type: Mapping[str, Any]
    uri: str
    metadata: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepOutputs:
    """Output artifacts and output parameters of a step, by key."""

    artifacts: Mapping[str, StoredArtifact] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def new_artifact_id() -> int:
    """Return an id that no other artifact has, in this rehearsal or another."""
    return secrets.randbits(62)


@dataclasses.dataclass(frozen=True)
class PlayedCache:
    """Outputs of the steps of one pipeline, by cache key.

    Attributes:
        folder: Folder of the files; it is made when it is needed.

    Example:
        >>> import tempfile
        >>> cache = PlayedCache(pathlib.Path(tempfile.mkdtemp()))
        >>> cache.add('0a1b', StepOutputs(parameters={'span': 3}))
        >>> cache.find('0a1b').parameters
        {'span': 3}
        >>> cache.find('2c3d') is None
        True
    """

    folder: pathlib.Path

    def add(self, key: str, outputs: StepOutputs) -> None:
        """Keep the outputs of a step; they replace those of an earlier run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self._path(key), json.dumps(dataclasses.asdict(outputs)))

    def find(self, key: str) -> StepOutputs | None:
        """Return the latest outputs with this key, None if there are none.

        Raises:
            ConfigError: If the file is damaged.
        """
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            artifacts = {name: StoredArtifact(**one) for name, one in found['artifacts'].items()}
            return StepOutputs(artifacts=artifacts, parameters=found['parameters'])
        except (ValueError, LookupError, TypeError) as err:
            raise ConfigError(
                f'expected the cached outputs of a step in {path}: {err}', hint='delete that file'
            ) from err

    def _path(self, key: str) -> pathlib.Path:
        return self.folder / f'{key}.json'
