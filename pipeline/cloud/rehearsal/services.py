"""How Vertex AI Pipelines and Kubeflow Pipelines differ, as far as a step can tell.

The behavior of Kubeflow is that of its driver and launcher (kubeflow/pipelines,
backend/src/v2/driver and backend/src/v2/component, 2.x). The behavior of Vertex
is what TFX relies on.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal.steps import StoredArtifact

_LOGS = 'executor-logs'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vertex:
    """Vertex AI Pipelines: full resource names, types kept, one bucket for all steps.

    Attributes:
        pipeline_root: Folder or URI below which steps write artifacts.
        pipeline: Name of the pipeline.
        runs_pre_cache_check: Whether a container's `lifecycle.preCacheCheck` runs.
        copies_artifacts: Whether a step works on copies from an object store.
    """

    pipeline_root: str
    pipeline: str
    runs_pre_cache_check: ClassVar[bool] = True
    copies_artifacts: ClassVar[bool] = False

    def new_artifact_name(self) -> str:
        """Return a name that no other artifact has, in this rehearsal or another."""
        return f'projects/1/locations/rehearsal/metadataStores/default/artifacts/{_new_id()}'

    def output_uri(self, run_id: str, step: str, salt: str, key: str) -> str:
        """Return where a step writes an output."""
        return f'{self.pipeline_root}/1/{run_id}/{step}_{salt}/{key}'

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that a step gets for an input."""
        return dataclasses.asdict(artifact)

    def output_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Return the `RuntimeArtifact` that a step gets for an output."""
        return dataclasses.asdict(artifact)

    def added_outputs(self, run_id: str, step: str) -> dict[str, dict[str, Any]]:
        """Return the further outputs of a step as `RuntimeArtifact`s, by key."""
        return {}

    def recorded_metadata(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata of an output as the metadata store keeps it."""
        return dict(metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kubeflow:
    """Kubeflow Pipelines: numbers as names, empty types, artifacts copied from a store.

    It has the attributes and methods of `Vertex`.
    """

    pipeline_root: str
    pipeline: str
    runs_pre_cache_check: ClassVar[bool] = False
    copies_artifacts: ClassVar[bool] = True

    def new_artifact_name(self) -> str:
        return str(_new_id())

    def output_uri(self, run_id: str, step: str, salt: str, key: str) -> str:
        return f'{self.pipeline_root.rstrip("/")}/{self.pipeline}/{run_id}/{step}/{salt}/{key}'

    def input_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Leave the type empty: ML Metadata does not keep the schema."""
        return {**dataclasses.asdict(artifact), 'type': {'instanceSchema': ''}}

    def output_artifact(self, artifact: StoredArtifact) -> dict[str, Any]:
        """Leave the name out: the artifact gets it when it is recorded."""
        return {'type': dict(artifact.type), 'uri': artifact.uri}

    def added_outputs(self, run_id: str, step: str) -> dict[str, dict[str, Any]]:
        """Return the log, as the driver does (backend/src/v2/driver/driver.go, 2.5 and later)."""
        uri = self.output_uri(run_id, step, 'logs', _LOGS)
        return {_LOGS: {'name': _LOGS, 'type': {'schemaTitle': 'system.Artifact'}, 'uri': uri}}

    def recorded_metadata(self, key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        properties = {name: _to_property(value) for name, value in metadata.items()}
        return {'display_name': key, **properties}


Service = Vertex | Kubeflow


def make_service(pipeline: CompiledPipeline) -> Service:
    """Return the service that a pipeline was compiled for."""
    service = Vertex if pipeline.target == 'vertex' else Kubeflow
    return service(pipeline_root=pipeline.pipeline_root, pipeline=pipeline.name)


def _new_id() -> int:
    return secrets.randbits(62)


def _to_property(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return {'list': value}
    if isinstance(value, dict):
        return {'struct': value}
    return value
