"""The services name, type and place artifacts each in its own way."""

from __future__ import annotations

from pipeline.cloud.rehearsal.service import service_of
from pipeline.cloud.rehearsal.store import StoredArtifact
from tests.pipeline.cloud.rehearsal import toys

VERTEX = service_of(toys.compiled('vertex'))
KUBEFLOW = service_of(toys.compiled('kubeflow'))
ARTIFACT = StoredArtifact(
    id=7, type=toys.artifact_type('toy.Data'), uri='gs://b/k', metadata={'span': 3}
)


def test_vertex_hands_artifacts_over_with_name_and_type() -> None:
    expected = {
        'name': 'projects/1/locations/rehearsal/metadataStores/default/artifacts/7',
        'type': toys.artifact_type('toy.Data'),
        'uri': 'gs://b/k',
        'metadata': {'span': 3},
    }
    assert VERTEX.as_input(ARTIFACT) == expected
    assert VERTEX.as_output(ARTIFACT) == expected


def test_kubeflow_hands_inputs_over_with_an_empty_type() -> None:
    assert KUBEFLOW.as_input(ARTIFACT) == {
        'name': '7',
        'type': {'instanceSchema': ''},
        'uri': 'gs://b/k',
        'metadata': {'span': 3},
    }


def test_kubeflow_hands_outputs_over_without_a_name() -> None:
    assert KUBEFLOW.as_output(ARTIFACT) == {
        'type': toys.artifact_type('toy.Data'),
        'uri': 'gs://b/k',
        'metadata': {'span': 3},
    }


def test_outputs_go_below_the_root() -> None:
    assert VERTEX.output_uri('run', 'First', 'salt', 'data') == '/somewhere/1/run/First_salt/data'
    assert (
        KUBEFLOW.output_uri('run', 'First', 'salt', 'data')
        == 'minio://bucket/root/toy/run/First/salt/data'
    )


def test_kubeflow_keeps_metadata_as_ml_metadata_does() -> None:
    metadata = {'list': [1], 'map': {'a': 1}, 'flag': True, 'text': 'x', 'number': 2.5}
    kept = KUBEFLOW.recorded('data', metadata)
    assert kept.pop('store_session_info')
    assert kept == {
        'display_name': 'data',
        'list': {'list': [1]},
        'map': {'struct': {'a': 1}},
        'flag': 1.0,
        'text': 'x',
        'number': 2.5,
    }
    assert VERTEX.recorded('data', metadata) == metadata
