"""The services name, type and place artifacts in different ways."""

from __future__ import annotations

from pipeline.cloud.rehearsal.played_cache import StoredArtifact
from pipeline.cloud.rehearsal.played_services import make_played_service
from tests.pipeline.cloud.rehearsal import toys

VERTEX = make_played_service(toys.compiled('vertex'))
KUBEFLOW = make_played_service(toys.compiled('kubeflow'))
TYPE = toys.artifact_type('toy.Data')
ARTIFACT = StoredArtifact(id=7, type=TYPE, uri='gs://b/k', metadata={'span': 3})
SHARED = {'uri': 'gs://b/k', 'metadata': {'span': 3}}


def test_vertex_passes_artifacts_with_name_and_type() -> None:
    name = 'projects/1/locations/rehearsal/metadataStores/default/artifacts/7'
    expected = {**SHARED, 'name': name, 'type': TYPE}
    assert VERTEX.input_artifact(ARTIFACT) == expected
    assert VERTEX.output_artifact(ARTIFACT) == expected


def test_kubeflow_passes_inputs_with_an_empty_type_and_outputs_without_a_name() -> None:
    empty = {'instanceSchema': ''}
    assert KUBEFLOW.input_artifact(ARTIFACT) == {**SHARED, 'name': '7', 'type': empty}
    assert KUBEFLOW.output_artifact(ARTIFACT) == {**SHARED, 'type': TYPE}


def test_outputs_are_below_the_pipeline_root() -> None:
    place = ('run', 'First', 'salt', 'data')
    assert VERTEX.output_uri(*place) == '/somewhere/1/run/First_salt/data'
    assert KUBEFLOW.output_uri(*place) == 'minio://bucket/root/toy/run/First/salt/data'


def test_kubeflow_records_metadata_as_ml_metadata_does() -> None:
    metadata = {'list': [1], 'map': {'a': 1}, 'flag': True, 'text': 'x', 'number': 2.5}
    recorded = KUBEFLOW.recorded_metadata('data', metadata)
    assert recorded.pop('store_session_info')
    assert recorded == {
        'display_name': 'data',
        'list': {'list': [1]},
        'map': {'struct': {'a': 1}},
        'flag': 1.0,
        'text': 'x',
        'number': 2.5,
    }
    assert VERTEX.recorded_metadata('data', metadata) == metadata
