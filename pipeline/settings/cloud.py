"""Settings of compiled pipelines."""

from __future__ import annotations

import re
from collections.abc import Collection

import pydantic

from components.common.errors import ConfigError
from components.common.settings import Settings
from pipeline.settings.pods import FOLDER, VOLUME, PodSettings

_IMAGE = re.compile(r'^[a-z0-9][a-zA-Z0-9._:/@-]*$')

# All nodes; each runs in its own container.
CONTAINER_NODES = (
    'ExampleGen',
    'StatisticsGen',
    'SchemaGen',
    'ExampleValidator',
    'Transform',
    'Trainer',
    'ServedBaseline',
    'Evaluator',
    'Pusher',
)
# In `cloud.pod`, the settings that all nodes have.
ALL_NODES = 'all'


def require_nodes(names: Collection[str]) -> None:
    """Check that the pipeline has these nodes.

    Raises:
        ConfigError: If it does not have one of them.
    """
    for name in names:
        if name not in CONTAINER_NODES:
            raise ConfigError(
                f'--again: there is no node {name!r}',
                hint=f'the nodes are {", ".join(CONTAINER_NODES)}',
            )


class ResourceSettings(Settings):
    """Resources of a node's container. The service has a default for each of them."""

    cpu: float | None = pydantic.Field(None, gt=0, le=1_000, description='number of CPU cores')
    memory_gb: float | None = pydantic.Field(
        None, gt=0, le=20_000, description='memory in GB (10^9 bytes)'
    )
    accelerator: str | None = pydantic.Field(
        None,
        min_length=1,
        description='type of accelerator, such as NVIDIA_TESLA_T4 on Vertex AI or '
        'nvidia.com/gpu on Kubeflow Pipelines',
    )
    accelerator_count: int | None = pydantic.Field(
        None, ge=1, le=64, description='number of accelerators; 1 if only the type is set'
    )

    @pydantic.model_validator(mode='after')
    def _has_type_of_accelerators(self) -> ResourceSettings:
        if self.accelerator_count is not None and self.accelerator is None:
            raise ValueError('accelerator_count: expected a type of accelerator as well')
        return self


class CloudSettings(Settings):
    """Settings of pipelines that run on Kubeflow Pipelines or Vertex AI.

    Example:
        >>> CloudSettings(resources={'Trainer': ResourceSettings(cpu=8)}).resources['Trainer'].cpu
        8.0
    """

    image: str | None = pydantic.Field(
        None, description='container image that contains this project'
    )
    pipeline_root: str | None = pydantic.Field(
        None,
        min_length=1,
        description='folder for the artifacts, such as gs://BUCKET/FOLDER; null: on Kubeflow '
        'Pipelines, the default of the cluster',
    )
    resources: dict[str, ResourceSettings] = pydantic.Field(
        default_factory=dict,
        description='resources of each node (cpu, memory_gb, accelerator, accelerator_count): '
        '{"Trainer": {"cpu": 8, "memory_gb": 32}}',
    )
    volumes: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description='Kubeflow Pipelines only: PersistentVolumeClaim to mount at a path, for data '
        'and pushed versions: {"/mnt/reviews": "CLAIM"}',
    )
    pod: dict[str, PodSettings] = pydantic.Field(
        default_factory=dict,
        description='Kubeflow Pipelines only: pods of each node, or of all: '
        '{"all": {"labels": {"team": "reviews"}}}',
    )

    @pydantic.field_validator('image')
    @classmethod
    def _is_image_name(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.match(image):
            raise ValueError('expected the name of an image, such as europe-docker.pkg.dev/P/R/I:1')
        return image

    @pydantic.field_validator('volumes')
    @classmethod
    def _are_volumes(cls, volumes: dict[str, str]) -> dict[str, str]:
        for path, claim in volumes.items():
            if not FOLDER.fullmatch(path) or not VOLUME.fullmatch(claim):
                raise ValueError(
                    f'expected an absolute path and the name of a PersistentVolumeClaim, without '
                    f'dots: {path!r}: {claim!r}'
                )
        return volumes

    @pydantic.field_validator('resources')
    @classmethod
    def _are_nodes(cls, resources: dict[str, ResourceSettings]) -> dict[str, ResourceSettings]:
        for node in resources:
            if node not in CONTAINER_NODES:
                raise ValueError(f'expected one of {", ".join(CONTAINER_NODES)}: {node!r}')
        return resources

    @pydantic.field_validator('pod')
    @classmethod
    def _are_nodes_or_all(cls, pods: dict[str, PodSettings]) -> dict[str, PodSettings]:
        for node in pods:
            if node not in (ALL_NODES, *CONTAINER_NODES):
                expected = ', '.join((ALL_NODES, *CONTAINER_NODES))
                raise ValueError(f'expected one of {expected}: {node!r}')
        return pods

    def pod_of(self, node: str) -> PodSettings:
        """Return the settings of a node's pods: those of all nodes, and its own."""
        return self.pod.get(ALL_NODES, PodSettings()).extended(self.pod.get(node, PodSettings()))
