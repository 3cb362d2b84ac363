"""The store keeps what was made from one rehearsal to the next."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.rehearsal.store import MetadataStore, Produced, StoredArtifact


@pytest.fixture
def store(tmp_path: pathlib.Path) -> MetadataStore:
    return MetadataStore(tmp_path / 'new' / 'metadata.sqlite', 'one')


def _model(artifact_id: int) -> StoredArtifact:
    return StoredArtifact(
        id=artifact_id,
        type={'schemaTitle': 'tfx.Model'},
        uri=f'/models/{artifact_id}',
        metadata={'blessed': 1.0},
    )


def _publish(store: MetadataStore, artifact: StoredArtifact, state: str, key: str) -> Produced:
    produced = Produced(artifacts={'model': artifact}, parameters={'span': 3})
    store.publish(run='1', step='Trainer', state=state, inputs={}, outputs=produced, cache_key=key)
    return produced


def test_ids_are_never_given_twice(store: MetadataStore) -> None:
    assert len({store.reserve() for _ in range(5)}) == 5


def test_outputs_are_found_by_their_cache_key(store: MetadataStore) -> None:
    produced = _publish(store, _model(store.reserve()), 'executed', 'key')
    assert store.find_cached('key') == produced
    assert store.find_cached('another') is None


def test_the_last_outputs_are_found_when_a_key_was_used_twice(store: MetadataStore) -> None:
    _publish(store, _model(store.reserve()), 'executed', 'key')
    later = _publish(store, _model(store.reserve()), 'executed', 'key')
    assert store.find_cached('key') == later


@pytest.mark.parametrize('state', ['failed', 'cached'])
def test_nothing_is_cached_when_nothing_was_executed(store: MetadataStore, state: str) -> None:
    _publish(store, _model(store.reserve()), state, 'key')
    assert store.find_cached('key') is None


def test_artifacts_are_live_when_they_were_published(store: MetadataStore) -> None:
    older, newer, reserved = store.reserve(), store.reserve(), store.reserve()
    _publish(store, _model(newer), 'executed', '')
    _publish(store, _model(older), 'executed', '')
    assert store.live_artifacts() == [_model(newer), _model(older)]
    assert reserved not in {artifact.id for artifact in store.live_artifacts()}


def test_a_pipeline_sees_nothing_of_another(store: MetadataStore, tmp_path: pathlib.Path) -> None:
    _publish(store, _model(store.reserve()), 'executed', 'key')
    path = tmp_path / 'new' / 'metadata.sqlite'
    assert MetadataStore(path, 'two').find_cached('key') is None
    assert MetadataStore(path, 'two').live_artifacts() == []
    assert MetadataStore(path, 'one').find_cached('key') is not None


def test_a_file_that_is_no_store_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'metadata.sqlite'
    path.write_text('something else, and long enough to be looked at as a database header' * 9)
    with pytest.raises(ConfigError, match='cannot keep metadata in .*not a database'):
        MetadataStore(path, 'one')
