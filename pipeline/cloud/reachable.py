"""Whether a service can reach what the settings name.

A specification is the same wherever data, artifacts and pushed models are, so
these are no rules of it: a rehearsal has all of them on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.common.errors import ConfigError
from pipeline.cloud.targets import Target
from pipeline.settings.config import PipelineConfig

_CLOUD_STORAGE = re.compile(r'^gs://[a-z0-9][a-z0-9._-]*(/|$)')
# What the launcher of Kubeflow Pipelines has a client for.
_OBJECT_STORE = re.compile(r'^(gs|minio|s3)://[a-z0-9][a-z0-9._-]*(/|$)')
_CLOUD_STORAGE_OR_VOLUME = re.compile(rf'{_CLOUD_STORAGE.pattern}|^/')


def require_reachable(config: PipelineConfig, target: Target) -> None:
    """Refuse places that are on this machine, or on a store that the service has no way to.

    Raises:
        ConfigError: That names the option, what came, and what is expected.
    """
    for option, place in _places(config):
        if target == 'vertex':
            pattern, expected = _CLOUD_STORAGE, 'gs://BUCKET/…'
        elif option == '--pipeline-root':
            pattern, expected = _OBJECT_STORE, 'gs://…, minio://… or s3://…'
        else:
            pattern = _CLOUD_STORAGE_OR_VOLUME
            expected = 'gs://BUCKET/…, or a path on a volume that steps mount (cloud.volumes)'
        if not pattern.match(place):
            raise ConfigError(
                f'{target} cannot reach {place!r}, given as {option}', hint=f'expected {expected}'
            )


def _places(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    named = (
        ('--data', config.data.path),
        ('--pipeline-root', config.cloud.pipeline_root),
        ('--serving-dir', config.serving_dir),
    )
    yield from ((option, place) for option, place in named if place is not None)
