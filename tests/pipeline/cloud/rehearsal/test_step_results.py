"""The results of a step are read from its artifacts on this machine."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError
from components.example_gen.summary import ExamplesSummary
from pipeline.cloud.rehearsal.played_cache import StepOutputs, StoredArtifact
from pipeline.cloud.rehearsal.step_results import StepResults
from pipeline.results.outcome import Pushed, Withdrawn
from tests.pipeline.cloud.rehearsal import toys


@pytest.fixture
def results(tmp_path: pathlib.Path) -> StepResults:
    return StepResults(lambda uri: tmp_path / uri.removeprefix('minio://'))


def outputs(key: str, title: str, metadata: dict[str, Any]) -> StepOutputs:
    artifact = StoredArtifact(
        id=3, type=toys.artifact_type(title), uri='minio://one', metadata=metadata
    )
    return StepOutputs(artifacts={key: artifact})


def test_examples_are_counted(results: StepResults, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'one').mkdir()
    splits = {'train': (2, 3), 'val': (1, 1), 'test': (1, 2)}
    ExamplesSummary(splits=splits, labels=('bad', 'good'), rejected={}).write(str(tmp_path / 'one'))
    line = results.describe('ExampleGen', outputs('examples', 'tfx.Examples', {}))
    assert line == "train 5, val 2, test 3; 'bad' or 'good'"


def test_step_fails_when_its_outputs_cannot_be_read(results: StepResults) -> None:
    with pytest.raises(ComponentError, match='ExampleGen succeeded, but its outputs cannot be'):
        results.describe('ExampleGen', outputs('examples', 'tfx.Examples', {}))


def test_step_without_artifacts_has_no_line(results: StepResults) -> None:
    assert results.describe('ExampleGenResolver', StepOutputs(parameters={'x': 'y'})) == ''


def test_baseline_is_described(results: StepResults, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'one').mkdir()
    (tmp_path / 'one' / 'served_version.json').write_text('{"version": "7", "digest": "5f"}')
    line = results.describe('ServedBaseline', outputs('model', 'tfx.Model', {}))
    assert line == 'the baseline is version 7, which is served'
    assert results.found.baseline_version == '7'


@pytest.mark.parametrize(
    ('metadata', 'pushed', 'withdrawn'),
    [
        (
            {'pushed': 1.0, 'pushed_destination': '/s/7', 'custom:pushed_version': '7'},
            Pushed(path='/s/7', version='7'),
            None,
        ),
        (
            {'pushed': 0.0, 'withdrawn_version': '7', 'withdrawn_at': 'today'},
            None,
            Withdrawn(version='7', at='today'),
        ),
        ({'pushed': 0.0}, None, None),
    ],
)
def test_pushed_and_withdrawn_versions_are_found(
    metadata: dict[str, Any],
    pushed: Pushed | None,
    withdrawn: Withdrawn | None,
    results: StepResults,
) -> None:
    line = results.describe('Pusher', outputs('pushed_model', 'tfx.PushedModel', metadata))
    assert line.startswith('pushed as version 7' if pushed else 'nothing pushed')
    assert (results.found.pushed, results.found.withdrawn) == (pushed, withdrawn)
