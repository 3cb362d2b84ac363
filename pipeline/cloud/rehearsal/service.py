"""What is different between the two services: names, types, paths and what is an error.

Kubeflow's ways were read in its driver and launcher (kubeflow/pipelines,
backend/src/v2), Vertex's in what TFX relies on.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.rehearsal.store import StoredArtifact
from pipeline.cloud.targets import Target

# What Kubeflow adds to the metadata of each artifact that it records.
_SESSION = '{"Provider":"minio","Params":{"fromEnv":"false"}}'


class Service(Protocol):
    """One of the services, as far as its steps can tell."""

    @property
    def runs_pre_cache_check(self) -> bool:
        """Whether a container's `lifecycle.preCacheCheck` is run."""

    @property
    def leaves_out_missing_inputs(self) -> bool:
        """Whether an input that its producer did not make is left out, or an error."""

    @property
    def keeps_objects(self) -> bool:
        """Whether each step gets copies of its inputs, from an object store."""

    def artifact_name(self, artifact_id: int) -> str:
        """Return the name by which steps know an artifact."""

    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        """Return where an output is to be written."""

    def as_input(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that a step which reads it is given."""

    def as_output(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that the step which makes it is given."""

    def recorded(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the store keeps of an output's metadata."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VertexService:
    """Vertex AI Pipelines: full resource names, types kept, one bucket for all."""

    pipeline_root: str
    runs_pre_cache_check: Literal[True] = True
    leaves_out_missing_inputs: Literal[True] = True
    keeps_objects: Literal[False] = False

    def artifact_name(self, artifact_id: int) -> str:
        """Return a resource name of Vertex ML Metadata."""
        return f'projects/1/locations/rehearsal/metadataStores/default/artifacts/{artifact_id}'

    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        """Return a path of the form root/project/run/step_id/key."""
        return posixpath.join(self.pipeline_root, '1', run, f'{step}_{salt}', key)

    def as_input(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the artifact with its type."""
        return {
            'name': self.artifact_name(artifact.id),
            'type': dict(artifact.type),
            'uri': artifact.uri,
            'metadata': dict(artifact.metadata),
        }

    def as_output(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the artifact, which has a name from the start."""
        return self.as_input(artifact)

    def recorded(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata as it is."""
        return dict(metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubeflowService:
    """Kubeflow Pipelines: numbers for names, empty types, artifacts copied to and fro."""

    pipeline_root: str
    pipeline: str
    runs_pre_cache_check: Literal[False] = False
    leaves_out_missing_inputs: Literal[False] = False
    keeps_objects: Literal[True] = True

    def artifact_name(self, artifact_id: int) -> str:
        """Return the id in ML Metadata, as text."""
        return str(artifact_id)

    def output_uri(self, run: str, step: str, salt: str, key: str) -> str:
        """Return a URI of the form root/pipeline/run/step/id/key."""
        return f'{self.pipeline_root.rstrip("/")}/{self.pipeline}/{run}/{step}/{salt}/{key}'

    def as_input(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the artifact as read back from ML Metadata, where its schema is lost."""
        return {
            'name': self.artifact_name(artifact.id),
            'type': {'instanceSchema': ''},
            'uri': artifact.uri,
            'metadata': dict(artifact.metadata),
        }

    def as_output(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the artifact, which has a type, but no name before it is recorded."""
        output: dict[str, Any] = {'type': dict(artifact.type), 'uri': artifact.uri}
        if artifact.metadata:
            output['metadata'] = dict(artifact.metadata)
        return output

    def recorded(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata as ML Metadata's values hold it."""
        return {
            'display_name': key,
            'store_session_info': _SESSION,
            **{name: _as_stored(value) for name, value in metadata.items()},
        }


def _as_stored(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return {'list': value}
    if isinstance(value, dict):
        return {'struct': value}
    return value


def service_of(pipeline: CompiledPipeline) -> Service:
    """Return the service that a pipeline was compiled for."""
    services: dict[Target, Service] = {
        'vertex': VertexService(pipeline_root=pipeline.pipeline_root),
        'kubeflow': KubeflowService(pipeline_root=pipeline.pipeline_root, pipeline=pipeline.name),
    }
    return services[pipeline.target]
