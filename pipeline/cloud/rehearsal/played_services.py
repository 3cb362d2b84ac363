"""How Vertex AI Pipelines and Kubeflow Pipelines differ, as far as a step can tell.

The behaviour of Kubeflow is that of its driver and launcher (kubeflow/pipelines,
backend/src/v2/driver and backend/src/v2/component, 2.x). The behaviour of Vertex
is what TFX relies on.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal.played_cache import StoredArtifact

# Kubeflow adds this to the metadata of each artifact that it records.
_SESSION = '{"Provider":"minio","Params":{"fromEnv":"false"}}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayedService(abc.ABC):
    """A service that runs compiled pipelines.

    Attributes:
        pipeline_root: Folder or URI below which steps write artifacts.
        pipeline: Name of the pipeline.
        runs_pre_cache_check: Whether a container's `lifecycle.preCacheCheck` runs.
        allows_missing_inputs: Whether an input that its producer did not make is
            left out. Otherwise, it is an error.
        copies_artifacts: Whether a step works on copies from an object store.
    """

    pipeline_root: str
    pipeline: str
    runs_pre_cache_check: ClassVar[bool]
    allows_missing_inputs: ClassVar[bool]
    copies_artifacts: ClassVar[bool]

    @abc.abstractmethod
    def artifact_name(self, artifact_id: int) -> str:
        """Return the name by which steps know an artifact."""

    @abc.abstractmethod
    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        """Return where a step writes an output."""

    @abc.abstractmethod
    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that a step gets for an input."""

    @abc.abstractmethod
    def output_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that a step gets for an output."""

    @abc.abstractmethod
    def recorded_metadata(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata of an output as the metadata store keeps it."""


class PlayedVertex(PlayedService):
    """Vertex AI Pipelines: full resource names, types kept, one bucket for all steps."""

    runs_pre_cache_check = True
    allows_missing_inputs = True
    copies_artifacts = False

    def artifact_name(self, artifact_id: int) -> str:
        return f'projects/1/locations/rehearsal/metadataStores/default/artifacts/{artifact_id}'

    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        return f'{self.pipeline_root}/1/{run}/{step}_{salt}/{key}'

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        return {
            'name': self.artifact_name(artifact.id),
            'type': dict(artifact.type),
            'uri': artifact.uri,
            'metadata': dict(artifact.metadata),
        }

    def output_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        return self.input_artifact(artifact)

    def recorded_metadata(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return dict(metadata)


class PlayedKubeflow(PlayedService):
    """Kubeflow Pipelines: numbers as names, empty types, artifacts copied from a store."""

    runs_pre_cache_check = False
    allows_missing_inputs = False
    copies_artifacts = True

    def artifact_name(self, artifact_id: int) -> str:
        return str(artifact_id)

    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        return f'{self.pipeline_root.rstrip("/")}/{self.pipeline}/{run}/{step}/{salt}/{key}'

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Leave the type empty: ML Metadata does not keep the schema."""
        return {
            'name': self.artifact_name(artifact.id),
            'type': {'instanceSchema': ''},
            'uri': artifact.uri,
            'metadata': dict(artifact.metadata),
        }

    def output_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Leave the name out: the artifact gets it when it is recorded."""
        output: dict[str, Any] = {'type': dict(artifact.type), 'uri': artifact.uri}
        if artifact.metadata:
            output['metadata'] = dict(artifact.metadata)
        return output

    def recorded_metadata(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {
            'display_name': key,
            'store_session_info': _SESSION,
            **{name: _as_property(value) for name, value in metadata.items()},
        }


def _as_property(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return {'list': value}
    if isinstance(value, dict):
        return {'struct': value}
    return value


def make_played_service(pipeline: CompiledPipeline) -> PlayedService:
    """Return the service that a pipeline was compiled for."""
    kind = PlayedVertex if pipeline.target == 'vertex' else PlayedKubeflow
    return kind(pipeline_root=pipeline.pipeline_root, pipeline=pipeline.name)
