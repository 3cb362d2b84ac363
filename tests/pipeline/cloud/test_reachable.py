from __future__ import annotations

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.reachable import require_reachable
from pipeline.cloud.targets import Target
from tests.pipeline.cloud import golden


@pytest.mark.parametrize(
    ('target', 'change'),
    [
        ('vertex', 'data.path=/data/reviews.csv'),
        ('vertex', 'data.path=reviews.csv'),
        ('vertex', 'cloud.pipeline_root=minio://bucket/root'),
        ('vertex', 'cloud.pipeline_root=gs://'),
        ('vertex', 'serving_dir=/mnt/serving'),
        ('kubeflow', 'data.path=reviews.csv'),
        ('kubeflow', 'data.path=minio://bucket/reviews.csv'),
        ('kubeflow', 'cloud.pipeline_root=/mnt/root'),
        ('kubeflow', 'serving_dir=runs/serving'),
    ],
)
def test_place_is_refused_when_the_service_cannot_reach_it(target: Target, change: str) -> None:
    place = change.partition('=')[2]
    with pytest.raises(
        ConfigError, match=f"{target} cannot reach '{place}', given as --"
    ) as caught:
        require_reachable(golden.config(change), target)
    assert 'expected gs://' in caught.value.hint


@pytest.mark.parametrize(
    ('target', 'changes'),
    [
        ('vertex', ()),
        ('kubeflow', ()),
        ('kubeflow', ('cloud.pipeline_root=minio://mlpipeline/v2',)),
        ('kubeflow', ('data.path=/mnt/reviews.csv', 'serving_dir=/mnt/serving')),
    ],
)
def test_place_is_taken_when_the_service_can_reach_it(
    target: Target, changes: tuple[str, ...]
) -> None:
    require_reachable(golden.config(*changes), target)
