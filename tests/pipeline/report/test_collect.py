"""Tests of the content of a report and of the reasons for missing content."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from components.evaluator.score_details import SCORE_DETAILS_FILE
from components.example_gen.summary import SUMMARY_FILE
from components.statistics_gen.text_statistics import TEXT_STATISTICS_FILE
from pipeline.report.collect import collect
from pipeline.report.render import render
from pipeline.report.view import BaselineData, Data, Missing, Report
from pipeline.results.outcome import NO_BASELINE, load_outcome
from tests.conftest import call_command
from tests.pipeline.report.conftest import Runs


@pytest.fixture
def pushed(runs: Runs) -> Report:
    return collect(load_outcome(runs.root, runs.id_of('pushed')), runs.root)


def folder_of(report: Report, node_id: str, key: str) -> pathlib.Path:
    uri = report.nodes[node_id].uri(key)
    assert uri is not None
    return pathlib.Path(uri)


def test_content_agrees_with_the_record_when_the_model_is_pushed(pushed: Report) -> None:
    assert not isinstance(pushed.scores, Missing)
    details = pushed.scores
    metrics = pushed.outcome.metrics
    right = details.true_positives + details.true_negatives
    wrong = details.false_positives + details.false_negatives
    assert right + wrong == metrics['example_count']
    assert right / (right + wrong) == pytest.approx(metrics['binary_accuracy'])
    assert isinstance(pushed.history, dict)
    assert set(pushed.history) == {'loss', 'binary_accuracy', 'val_loss', 'val_binary_accuracy'}
    assert pushed.labels == ('negative', 'positive')
    assert isinstance(pushed.data, Data)
    assert [split.name for split in pushed.data.described.splits] == ['train', 'val', 'test']
    assert pushed.data.anomalies == 'All splits match the schema.'
    assert pushed.data.baseline == Missing(reason=NO_BASELINE)


def test_inputs_are_outputs_of_other_nodes_when_lineage_is_recorded(pushed: Report) -> None:
    assert pushed.lineage is None
    nodes = pushed.nodes
    assert set(nodes) == {node.id for node in pushed.outcome.nodes}
    made = {a.key: a.id for a in nodes['Trainer'].outputs}
    given = {a.key: a.id for a in nodes['Evaluator'].inputs}
    assert given['model'] == made['model']
    assert {len(node.fingerprint) for node in nodes.values()} == {64}
    assert all(pathlib.Path(a.uri).exists() for node in nodes.values() for a in node.outputs)


def test_data_of_the_baseline_is_found_when_there_is_one(runs: Runs) -> None:
    report = collect(load_outcome(runs.root, runs.id_of('not_blessed')), runs.root)
    assert isinstance(report.data, Data)
    found = report.data.baseline
    assert isinstance(found, BaselineData)
    assert found.run_id == runs.id_of('pushed')
    # The preset keeps more of the same reviews for val.
    assert 0 < found.divergence < 0.05


def test_content_before_the_failure_is_collected_when_a_run_failed(runs: Runs) -> None:
    report = collect(load_outcome(runs.root, runs.id_of('failed')), runs.root)
    broken = 'ExampleValidator failed.'
    assert report.scores == Missing(reason=f'The run ended before Evaluator: {broken}')
    assert report.history == Missing(reason=f'The run ended before Trainer: {broken}')
    assert isinstance(report.data, Data)
    assert '336' in (report.data.anomalies or '')
    assert isinstance(report.data.baseline, Missing)
    assert 'Pusher' not in report.nodes


@pytest.mark.parametrize(
    ('node_id', 'key', 'file', 'part'),
    [
        ('Evaluator', 'evaluation', SCORE_DETAILS_FILE, 'scores'),
        ('StatisticsGen', 'statistics', TEXT_STATISTICS_FILE, 'data'),
    ],
)
def test_reason_is_given_when_an_output_is_missing_or_damaged(
    node_id: str, key: str, file: str, part: str, pushed: Report, runs: Runs
) -> None:
    folder = folder_of(pushed, node_id, key)

    def reason() -> str:
        found = getattr(collect(pushed.outcome, runs.root), part)
        assert isinstance(found, Missing)
        return found.reason

    (folder / file).write_text('{}')
    assert 'cannot be read' in reason()
    (folder / file).unlink()
    assert 'an older version made it' in reason()
    folder.rename(folder.with_name('away'))
    assert reason() == f'The folder of the artifact is missing: {folder}.'


def test_other_content_is_collected_when_the_summary_of_examples_is_damaged(
    pushed: Report, runs: Runs
) -> None:
    (folder_of(pushed, 'ExampleGen', 'examples') / SUMMARY_FILE).write_text('{}')
    report = collect(pushed.outcome, runs.root)
    assert isinstance(report.data, Data)
    assert report.data.rejected is None
    assert '<html' in render(report)


def test_reason_is_given_when_ml_metadata_is_missing_or_damaged(
    pushed: Report, tmp_path: pathlib.Path
) -> None:
    report = collect(pushed.outcome, tmp_path)
    for part in (report.history, report.scores, report.data, report.lineage):
        assert isinstance(part, Missing)
        assert 'ML Metadata does not have run' in part.reason
    assert report.nodes == {}
    (tmp_path / 'metadata.sqlite').write_bytes(b'not a database at all ' * 500)
    lineage = collect(pushed.outcome, tmp_path).lineage
    assert lineage is not None
    assert lineage.reason.startswith('ML Metadata cannot be read: ')
    assert 'metadata.sqlite is damaged' in lineage.reason


def test_record_is_read_when_another_version_wrote_it(pushed: Report, runs: Runs) -> None:
    fields = dataclasses.asdict(pushed.outcome)
    path = runs.root / 'records' / '2000-01-01T00-00-00.json'
    old = {key: fields[key] for key in ('outcome', 'name', 'data', 'nodes')}
    path.write_text(json.dumps({**old, 'run_id': path.stem, 'unheard_of': 1}))
    outcome = load_outcome(runs.root, path.stem)
    assert outcome.nodes == pushed.outcome.nodes
    assert outcome.versions == {}
    done = call_command('runs', cwd=runs.home)
    assert done.code == 0, done.err
    assert path.stem in done.out
