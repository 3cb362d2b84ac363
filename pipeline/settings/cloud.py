"""The settings of compiled pipelines."""

from __future__ import annotations

import re

import pydantic

from components.common.settings import Settings

_MACHINE_TYPE = r'^[a-z][a-z0-9]*(-[a-z0-9]+)+$'
_MOUNT = re.compile(r'^(/[A-Za-z0-9._-]+)+$')
_CLAIM = re.compile(r'^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')
_IMAGE = re.compile(r'^[a-z0-9][a-zA-Z0-9._:/@-]*$')

# The nodes that run in a container of their own, on every target.
CONTAINER_NODES = (
    'ExampleGen',
    'StatisticsGen',
    'SchemaGen',
    'ExampleValidator',
    'Transform',
    'Trainer',
    'Evaluator',
    'Pusher',
)


class ResourceSettings(Settings):
    """What a node's container gets; none: what the service gives by default."""

    cpu: float | None = pydantic.Field(None, gt=0, le=1_000, description='cores')
    memory_gb: float | None = pydantic.Field(None, gt=0, le=20_000, description='memory, 10^9 B')
    accelerator: str | None = pydantic.Field(
        None,
        min_length=1,
        description='NVIDIA_TESLA_T4 and the like on Vertex, nvidia.com/gpu and the like on '
        'Kubeflow',
    )
    accelerator_count: int = pydantic.Field(1, ge=1, le=64, description='of accelerators')


class TrainingJobSettings(Settings):
    """The machines of a custom training job on Vertex AI, all of them alike."""

    replicas: int = pydantic.Field(
        1,
        ge=1,
        le=1_000,
        description='machines; more than one need trainer.distribution=multi_worker',
    )
    machine_type: str = pydantic.Field(
        'n1-standard-8', pattern=_MACHINE_TYPE, description='of Compute Engine'
    )
    accelerator: str | None = pydantic.Field(
        None, pattern=r'^[A-Z][A-Z0-9_]+$', description='NVIDIA_TESLA_T4 and the like'
    )
    accelerator_count: int = pydantic.Field(1, ge=1, le=16, description='of each machine')
    boot_disk_gb: int = pydantic.Field(
        100, ge=100, le=64_000, description='disk of each machine, 10^9 B'
    )
    service_account: str | None = pydantic.Field(
        None,
        pattern=r'^[^@\s:]+@[^@\s:]+$',
        description="that it runs as; none: that of Vertex AI for custom code, not the pipeline's",
    )


class CloudSettings(Settings):
    """Where and how a compiled pipeline runs."""

    image: str | None = pydantic.Field(
        None, description='container image with this project and what it needs'
    )
    pipeline_root: str | None = pydantic.Field(
        None, min_length=1, description="folder for the nodes' artifacts: gs://BUCKET/FOLDER"
    )
    resources: dict[str, ResourceSettings] = pydantic.Field(
        default_factory=dict, description='by node, as {"Trainer": {"cpu": 8, "memory_gb": 32}}'
    )
    training_job: TrainingJobSettings | None = pydantic.Field(
        None,
        description='on Vertex AI, the Trainer is a custom training job on these machines, as '
        '{"replicas": 4, "machine_type": "n1-standard-8"}; none: a step as all others',
    )
    volumes: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description='on Kubeflow, claims of volumes for data and pushed models, as '
        '{"/mnt/reviews": "CLAIM"}',
    )

    @pydantic.field_validator('image')
    @classmethod
    def _is_an_image(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.match(image):
            raise ValueError('expected the name of an image, such as europe-docker.pkg.dev/P/R/I:1')
        return image

    @pydantic.field_validator('volumes')
    @classmethod
    def _are_volumes(cls, volumes: dict[str, str]) -> dict[str, str]:
        for folder, claim in volumes.items():
            if not _MOUNT.match(folder) or not _CLAIM.match(claim):
                raise ValueError(
                    f'expected an absolute path and the name of a PersistentVolumeClaim: '
                    f'{folder!r}: {claim!r}'
                )
        return volumes

    @pydantic.field_validator('resources')
    @classmethod
    def _known_nodes(cls, resources: dict[str, ResourceSettings]) -> dict[str, ResourceSettings]:
        for node in resources:
            if node not in CONTAINER_NODES:
                raise ValueError(
                    f'no node is called {node!r} and has a container; they are '
                    f'{", ".join(CONTAINER_NODES)}'
                )
        return resources
