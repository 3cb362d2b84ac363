"""What a step put out is told in a line, from its artifacts on this machine."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError
from components.example_gen.summary import ExamplesSummary
from pipeline.cloud.rehearsal.store import Produced, StoredArtifact
from pipeline.cloud.rehearsal.verdict import Verdict
from pipeline.results.outcome import Pushed, Withdrawn
from tests.pipeline.cloud.rehearsal import toys


@pytest.fixture
def verdict(tmp_path: pathlib.Path) -> Verdict:
    return Verdict(lambda uri: tmp_path / uri.removeprefix('minio://'))


def _produced(title: str, metadata: dict[str, Any] | None = None) -> Produced:
    artifact = StoredArtifact(
        id=3, type=toys.artifact_type(title), uri='minio://one', metadata=metadata or {}
    )
    return Produced(artifacts={title.split('.')[1].lower(): artifact})


def test_the_counts_of_examples_are_told(verdict: Verdict, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'one').mkdir()
    splits = {'train': (2, 3), 'val': (1, 1), 'test': (1, 2)}
    summary = ExamplesSummary(splits=splits, labels=('bad', 'good'), rejected={})
    summary.write(str(tmp_path / 'one'))
    note = verdict.note('ExampleGen', _produced('tfx.Examples'))
    assert note == "train 5, val 2, test 3; 'bad' or 'good'"


def test_a_step_fails_when_it_did_not_leave_what_it_says(verdict: Verdict) -> None:
    with pytest.raises(ComponentError, match='ExampleGen ended well, but its outputs cannot be'):
        verdict.note('ExampleGen', _produced('tfx.Examples'))


def test_a_baseline_is_told(verdict: Verdict, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'one').mkdir()
    (tmp_path / 'one' / 'served_version.json').write_text('{"version": "7", "digest": "5f"}')
    produced = _produced('tfx.Model')
    told = 'the baseline is version 7, which is served'
    assert verdict.note('ServedBaseline', produced) == told
    (tmp_path / 'one' / 'NO_BASELINE').touch()
    assert verdict.note('ServedBaseline', produced) == 'no baseline: no other model is served'


def test_output_parameters_alone_are_no_baseline(verdict: Verdict) -> None:
    assert verdict.note('ExampleGen-driver', Produced(parameters={'x': 'y'})) == ''


def _pushed_model(pushed: float) -> Produced:
    produced = _produced(
        'tfx.PushedModel',
        {'pushed': pushed, 'pushed_destination': '/s/7', 'custom:pushed_version': '7'},
    )
    return Produced(artifacts={'pushed_model': produced.artifacts['pushedmodel']})


def test_a_pushed_version_is_told(verdict: Verdict) -> None:
    assert verdict.note('Pusher', _pushed_model(1.0)) == 'pushed as version 7'
    assert verdict.found.pushed == Pushed(path='/s/7', version='7')


def test_a_withdrawn_model_is_told(verdict: Verdict) -> None:
    noted = {'pushed': 0.0, 'withdrawn_version': '7', 'withdrawn_at': 'today'}
    artifact = _produced('tfx.PushedModel', noted).artifacts['pushedmodel']
    told = verdict.note('Pusher', Produced(artifacts={'pushed_model': artifact}))
    assert told == 'nothing pushed: a rollback withdrew this model, version 7'
    assert verdict.found.withdrawn == Withdrawn(version='7', at='today')


def test_nothing_pushed_is_told(verdict: Verdict) -> None:
    assert verdict.note('Pusher', _pushed_model(0.0)) == 'nothing pushed'
    assert verdict.found.pushed is None
