"""Reads from the artifacts of a rehearsal what came of it, as a local run tells it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.store import Produced, StoredArtifact


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalArtifact:
    """An artifact on this machine, read as TFX's own are.

    Attributes:
        id: The store's.
        uri: A path.
        metadata: Its properties.
    """

    id: int
    uri: str
    metadata: Mapping[str, Any]

    def get_int_custom_property(self, key: str) -> int:
        """Return a number, 0 if it is not there."""
        return int(self._property(key) or 0)

    def get_string_custom_property(self, key: str) -> str:
        """Return a text, empty if it is not there."""
        return str(self._property(key) or '')

    def _property(self, key: str) -> Any:
        # TFX marks those that a property of the type has the name of.
        return self.metadata.get(key, self.metadata.get(f'custom:{key}'))


class Verdict:
    """What the gate said and what was pushed, gathered from step to step.

    Args:
        path: Tells where the files of a URI are on this machine.

    Attributes:
        found: What there is so far.
    """

    def __init__(self, path: Callable[[str], pathlib.Path]) -> None:
        # It imports TFX.
        from pipeline.results.run_findings import RunFindings

        self.found = RunFindings()
        self._path = path

    def note(self, step: str, produced: Produced) -> str:
        """Say in one line what a step found or made, and remember what counts.

        Raises:
            ComponentError: If a step ended well, but did not leave what it says.
        """
        import tensorflow as tf

        try:
            return self._note(step, produced)
        except (OSError, LookupError, ValueError, tf.errors.OpError) as err:
            raise ComponentError(
                f'{step} ended well, but its outputs cannot be read: {type(err).__name__}: {err}',
                hint='see its log',
            ) from err

    def _note(self, step: str, produced: Produced) -> str:
        outputs = {key: [self._local(a)] for key, a in produced.artifacts.items()}
        return self.found.add(step, outputs)

    def _local(self, artifact: StoredArtifact) -> Any:
        return LocalArtifact(
            id=artifact.id, uri=str(self._path(artifact.uri)), metadata=artifact.metadata
        )
