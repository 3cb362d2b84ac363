from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest
from tfx.types import standard_artifacts

from components.evaluator.evaluation import Evaluation
from components.evaluator.metric_table import Check, MetricChange
from components.example_gen.group_counts import GroupCounts
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.text_statistics import (
    TEXT_STATISTICS_FILE,
    SplitStatistics,
    TextStatistics,
    to_json,
)
from components.trainer.threshold import TunedThreshold
from components.trainer.threshold import to_json as threshold_json
from components.transform.properties import STOCK_REASON_PROPERTY
from pipeline.results.outcome import RunOutcome
from pipeline.results.run_findings import RunFindings


@pytest.mark.parametrize(
    ('vocabularies', 'reason', 'note'),
    [
        ({'words': 1_234}, '', '1,234 words in the vocabulary'),
        ({'texts': 2, 'w': 40}, '', '2 words in texts; 40 words in w'),
        ({'w': 2}, 'statistics are wanted', "2 words in w; TFX's executor: statistics are wanted"),
        ({}, 'the analyzer mean', "TFX's executor: the analyzer mean"),
        ({}, '', ''),
    ],
)
def test_note_of_transform_counts_words_and_names_the_executor(
    vocabularies: dict[str, int], reason: str, note: str, tmp_path: pathlib.Path
) -> None:
    graph = standard_artifacts.TransformGraph()
    graph.uri = str(tmp_path)
    graph.set_string_custom_property(STOCK_REASON_PROPERTY, reason)
    for folder in ('transform_fn/assets', 'transformed_metadata'):
        (tmp_path / folder).mkdir(parents=True)
    for name, words in vocabularies.items():
        (tmp_path / 'transform_fn' / 'assets' / name).write_text('word\n' * words)
    if vocabularies:
        path = tmp_path / 'transformed_metadata' / 'asset_map'
        path.write_text(json.dumps({name: name for name in vocabularies}))
    assert RunFindings().add('Transform', {'transform_graph': [graph]}) == note


TUNED = TunedThreshold(
    aim='recall at precision 0.8',
    threshold=0.27314,
    value=0.84,
    precision=0.8012,
    examples=400,
    curve=[],
)


@pytest.mark.parametrize(
    ('accuracies', 'fixed', 'tuned', 'note'),
    [
        ([0.90481], None, None, 'val accuracy 0.9048'),
        ([0.9, 0.91], None, None, 'val accuracy by epoch: .900 .910'),
        ([], None, None, ''),
        ([0.90481], 0.3, None, 'val accuracy at 0.5 0.9048; threshold 0.3'),
        (
            [0.90481],
            0.27314,
            TUNED,
            'val accuracy at 0.5 0.9048; threshold 0.2731: recall 0.8400 at precision 0.8012 on '
            'val',
        ),
        (
            [0.9, 0.91],
            0.5,
            dataclasses.replace(TUNED, aim='balanced_accuracy', threshold=0.5),
            'val accuracy at 0.5 by epoch: .900 .910; threshold 0.5: balanced accuracy 0.8400 on '
            'val',
        ),
        ([], 0.3, None, 'threshold 0.3'),
    ],
)
def test_note_of_training_names_the_threshold_when_it_is_not_the_default(
    accuracies: list[float],
    fixed: float | None,
    tuned: TunedThreshold | None,
    note: str,
    tmp_path: pathlib.Path,
) -> None:
    model, run = standard_artifacts.Model(), standard_artifacts.ModelRun()
    model.uri, run.uri = str(tmp_path / 'model'), str(tmp_path / 'run')
    extra = tmp_path / 'model' / 'Format-Serving' / 'assets.extra'
    extra.mkdir(parents=True)
    (tmp_path / 'run').mkdir()
    history = {'val_binary_accuracy': accuracies} if accuracies else {}
    (tmp_path / 'run' / 'history.json').write_text(json.dumps(history))
    if fixed is not None:
        (extra / 'threshold.json').write_text(json.dumps({'threshold': fixed}))
    if tuned is not None:
        (tmp_path / 'run' / 'threshold.json').write_text(threshold_json(tuned))
    assert RunFindings().add('Trainer', {'model': [model], 'model_run': [run]}) == note


@pytest.mark.parametrize(
    ('seen', 'nearly_seen', 'note'),
    [
        (0, 0, ''),
        (186, 186, 'of 200 texts of test, 186 (93.0%) are in train or val'),
        (
            186,
            190,
            'of 200 texts of test, 186 (93.0%) are in train or val, 190 (95.0%) if numbers are '
            'ignored',
        ),
        (0, 4, 'of 200 texts of test, 4 (2.0%) are in train or val if numbers are ignored'),
        (None, None, ''),
    ],
)
def test_note_of_statistics_says_which_test_texts_training_has(
    seen: int | None, nearly_seen: int | None, note: str, tmp_path: pathlib.Path
) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    split = SplitStatistics(
        name='test',
        examples=200,
        positive=100,
        negative=100,
        lengths=[],
        words=0,
        frequent=[],
        unknown=None,
        duplicates=0,
        shared={},
        seen=seen,
        nearly_seen=nearly_seen,
    )
    found = TextStatistics(splits=[split], drift={}, fingerprint_words=[])
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(to_json(found))
    assert RunFindings().add('StatisticsGen', {'statistics': [statistics]}) == note


def test_note_of_statistics_is_empty_when_there_are_none(tmp_path: pathlib.Path) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    assert RunFindings().add('StatisticsGen', {'statistics': [statistics]}) == ''


def test_note_of_examples_counts_groups_when_a_column_names_them(tmp_path: pathlib.Path) -> None:
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path)
    groups = GroupCounts(column='film', sampled=40, shared=8)
    splits = dict.fromkeys(('train', 'val', 'test'), (5, 5))
    summary = ExamplesSummary(splits=splits, labels=('neg', 'pos'), rejected={}, groups=groups)
    summary.write(examples.uri)
    assert RunFindings().add('ExampleGen', {'examples': [examples]}) == (
        "train 10, val 10, test 10; 'neg' or 'pos'; 40 values of 'film', 8 (20.0%) of them in test "
        'and in train or val'
    )


def test_record_has_all_fields_of_the_evaluation_when_they_have_the_same_name() -> None:
    evaluation = Evaluation(
        metrics={'auc': 0.9},
        slices={'product=tea': {'auc': 0.8}},
        baseline={'auc': 0.85},
        thresholds=(Check(metric='auc', slice='', value=0.9, bound='>= 0.7', passed=True),),
        intervals={'auc': (0.88, 0.92)},
        slice_intervals={'product=tea': {'auc': (0.7, 0.9)}},
        changes={'auc': MetricChange(change=0.05, low=0.01, high=0.09, verdict='better')},
        confidence=0.9,
        judged_by='interval',
        examples_needed=6_300,
        threshold=0.27,
        baseline_threshold=0.5,
    )
    found = RunFindings(evaluation=evaluation).outcome_fields()
    for field in dataclasses.fields(Evaluation):
        assert found[field.name] == getattr(evaluation, field.name)
    assert RunOutcome(run_id='1', outcome='pushed', name='n', data='d', **found).threshold == 0.27
