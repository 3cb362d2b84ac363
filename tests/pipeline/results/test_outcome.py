"""The record of a run: what it keeps, and what an older one lacks."""

from __future__ import annotations

import json
import pathlib

import pytest

from components.evaluator.metric_table import Check, MetricChange
from pipeline.results.outcome import RunOutcome, load_outcome, load_records, save_record

# All that a record of version 1 has of the evaluation.
_OLD = {
    'run_id': 'old',
    'outcome': 'pushed',
    'name': 'sentiment',
    'data': 'data',
    'metrics': {'binary_accuracy': 0.9, 'loss': None},
    'slices': {'length=1-10': {'binary_accuracy': 0.8}},
    'thresholds': [
        {'metric': 'auc', 'slice': '', 'value': 0.9, 'bound': '>= 0.7000', 'passed': True}
    ],
    'baseline': {'binary_accuracy': 0.88},
}


def test_intervals_and_changes_are_kept_when_a_record_is_loaded(tmp_path: pathlib.Path) -> None:
    outcome = RunOutcome(
        run_id='1',
        outcome='pushed',
        name='sentiment',
        data='data',
        metrics={'loss': 0.2},
        intervals={'loss': (0.19, 0.21)},
        slice_intervals={'length=1-10': {'loss': (0.1, 0.3)}},
        changes={
            'loss': MetricChange(change=-0.1, low=-0.12, high=-0.08, verdict='better'),
            'auc': MetricChange(change=None),
        },
        confidence=0.9,
        judged_by='interval',
        examples_needed=6_300,
        threshold=0.27,
        baseline_threshold=0.5,
        thresholds=(
            Check(metric='auc', slice='', value=0.9, bound='>= 0.8', passed=True, judged=0.88),
        ),
    )
    save_record(outcome, tmp_path)
    assert load_outcome(tmp_path) == outcome
    stored = json.loads((tmp_path / 'records' / '1.json').read_text())
    assert stored['intervals'] == {'loss': [0.19, 0.21]}
    assert stored['slice_intervals'] == {'length=1-10': {'loss': [0.1, 0.3]}}
    assert stored['changes'] == {
        'loss': {'change': -0.1, 'low': -0.12, 'high': -0.08, 'verdict': 'better'},
        'auc': {'change': None, 'low': None, 'high': None, 'verdict': ''},
    }
    assert stored['thresholds'][0]['judged'] == 0.88


def test_values_have_no_intervals_when_the_record_is_of_an_older_version(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'records').mkdir()
    (tmp_path / 'records' / 'old.json').write_text(json.dumps(_OLD))
    (found,) = load_records(tmp_path)
    assert capsys.readouterr().err == ''
    assert found.metrics == _OLD['metrics']
    assert (found.intervals, found.slice_intervals, found.changes) == ({}, {}, {})
    assert (found.confidence, found.judged_by, found.threshold) == (0.95, 'value', 0.5)
    assert (found.examples_needed, found.baseline_threshold) == (None, None)
    assert found.thresholds[0].judged is None
