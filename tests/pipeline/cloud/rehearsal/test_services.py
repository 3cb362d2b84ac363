"""The services name, type and locate artifacts in different ways."""

from __future__ import annotations

from pipeline.cloud.rehearsal.services import make_service
from pipeline.cloud.rehearsal.steps import StoredArtifact
from tests.pipeline.cloud.rehearsal import small_pipelines

VERTEX = make_service(small_pipelines.compiled('vertex'))
KUBEFLOW = make_service(small_pipelines.compiled('kubeflow'))
TYPE = {'instanceSchema': 'small.Data'}
ARTIFACT = StoredArtifact(name='7', type=TYPE, uri='gs://b/k', metadata={'span': 3})
SHARED = {'uri': 'gs://b/k', 'metadata': {'span': 3}}


def test_names_are_unique_and_those_of_the_service() -> None:
    for service, prefix in ((VERTEX, 'projects/1/locations/'), (KUBEFLOW, '')):
        names = {service.new_artifact_name() for _ in range(100)}
        assert len(names) == 100
        assert all(name.startswith(prefix) for name in names)
        assert all(name.rpartition('/')[2].isdecimal() for name in names)


def test_vertex_passes_artifacts_with_name_and_type() -> None:
    expected = {**SHARED, 'name': '7', 'type': TYPE}
    assert VERTEX.input_artifact(ARTIFACT) == expected
    assert VERTEX.output_artifact(ARTIFACT) == expected


def test_kubeflow_passes_inputs_with_an_empty_type_and_outputs_without_a_name() -> None:
    empty = {'instanceSchema': ''}
    assert KUBEFLOW.input_artifact(ARTIFACT) == {**SHARED, 'name': '7', 'type': empty}
    assert KUBEFLOW.output_artifact(ARTIFACT) == {'uri': 'gs://b/k', 'type': TYPE}


def test_outputs_are_below_the_pipeline_root() -> None:
    parts = ('run', 'First', 'salt', 'data')
    assert VERTEX.output_uri(*parts) == '/somewhere/1/run/First_salt/data'
    assert KUBEFLOW.output_uri(*parts) == 'minio://bucket/root/small/run/First/salt/data'


def test_kubeflow_adds_the_log_to_the_outputs_of_each_step() -> None:
    assert VERTEX.added_outputs('run', 'First') == {}
    (log,) = KUBEFLOW.added_outputs('run', 'First').values()
    assert log['type'] == {'schemaTitle': 'system.Artifact'}
    assert log['uri'].startswith('minio://bucket/root/small/run/First/')


def test_kubeflow_records_metadata_as_ml_metadata_does() -> None:
    metadata = {'list': [1], 'map': {'a': 1}, 'flag': True, 'text': 'x', 'number': 2.5}
    assert KUBEFLOW.recorded_metadata('data', metadata) == {
        'display_name': 'data',
        'list': {'list': [1]},
        'map': {'struct': {'a': 1}},
        'flag': 1.0,
        'text': 'x',
        'number': 2.5,
    }
    assert VERTEX.recorded_metadata('data', metadata) == metadata
