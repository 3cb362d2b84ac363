"""Outputs of a step are kept from one rehearsal to the next."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.rehearsal.played_cache import (
    PlayedCache,
    StepOutputs,
    StoredArtifact,
    new_artifact_id,
)


def outputs(artifact_id: int) -> StepOutputs:
    artifact = StoredArtifact(
        id=artifact_id, type={'schemaTitle': 'tfx.Model'}, uri='/models/7', metadata={'a': 1.0}
    )
    return StepOutputs(artifacts={'model': artifact}, parameters={'span': 3})


def test_latest_outputs_are_found_by_their_key(tmp_path: pathlib.Path) -> None:
    cache = PlayedCache(tmp_path / 'new')
    assert cache.find('key') is None
    cache.add('key', outputs(1))
    cache.add('key', outputs(2))
    assert PlayedCache(tmp_path / 'new').find('key') == outputs(2)
    assert cache.find('another') is None


@pytest.mark.parametrize('text', ['', '{"artifacts": {}}', '{"artifacts": {"model": {"id": 1}}}'])
def test_damaged_file_is_named(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'key.json').write_text(text)
    with pytest.raises(ConfigError, match=r'expected the cached outputs of a step in .*key\.json'):
        PlayedCache(tmp_path).find('key')


def test_artifact_ids_are_unique() -> None:
    assert len({new_artifact_id() for _ in range(100)}) == 100
