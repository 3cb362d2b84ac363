"""Reads the results of a rehearsal from the artifacts of its steps."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal.played_cache import StepOutputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalArtifact:
    """An artifact whose files are on this machine, with the methods of TFX's artifacts.

    Attributes:
        id: Id of the artifact.
        uri: Path of the files.
        metadata: Properties.
    """

    id: int
    uri: str
    metadata: Mapping[str, Any]

    def get_int_custom_property(self, key: str) -> int:
        """Return an integer, 0 if there is no such property."""
        return int(self._property(key) or 0)

    def get_string_custom_property(self, key: str) -> str:
        """Return a text, empty if there is no such property."""
        return str(self._property(key) or '')

    def _property(self, key: str) -> Any:
        # TFX adds the prefix if the type of the artifact has a property of that name.
        return self.metadata.get(key, self.metadata.get(f'custom:{key}'))


class StepResults:
    """Collects what the gate decided and what was pushed, step by step.

    Args:
        find_path: Returns where the files of a URI are on this machine.

    Attributes:
        found: The results so far.
    """

    def __init__(self, find_path: Callable[[str], pathlib.Path]) -> None:
        # Imported here because it imports TFX.
        from pipeline.results.run_findings import RunFindings

        self.found = RunFindings()
        self._find_path = find_path

    def describe(self, step: str, outputs: StepOutputs) -> str:
        """Add the outputs of a step, and return one line on what it found or made.

        Raises:
            ComponentError: If the step succeeded, but its outputs cannot be read.
        """
        import tensorflow as tf

        artifacts: Any = {
            key: [LocalArtifact(id=a.id, uri=str(self._find_path(a.uri)), metadata=a.metadata)]
            for key, a in outputs.artifacts.items()
        }
        try:
            return self.found.add(step, artifacts)
        except (OSError, LookupError, ValueError, tf.errors.OpError) as err:
            raise ComponentError(
                f'{step} succeeded, but its outputs cannot be read: {type(err).__name__}: {err}',
                hint='look at its log',
            ) from err
