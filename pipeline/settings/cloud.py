"""The settings of compiled pipelines."""

from __future__ import annotations

import re

import pydantic

from components.common.settings import Settings

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
