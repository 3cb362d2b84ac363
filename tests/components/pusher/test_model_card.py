"""The model card: its facts and its example requests."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from typing import Any

import pytest
import tensorflow as tf

from components.common import features
from components.common.decision_threshold import DecisionThreshold
from components.common.settings import TextSettings
from components.evaluator.evaluation import read_evaluation
from components.evaluator.metric_table import Check, MetricChange
from components.pusher.model_card import CardFacts, write_card
from tests.components.pusher.evaluations import SUMMARY, write_evaluation
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import Exported


def make_card(
    tmp_path: pathlib.Path,
    accuracy: float = 0.9,
    baseline: float | None = None,
    architecture: str = 'ngram',
    **facts: Any,
) -> str:
    write_evaluation(tmp_path / 'evaluation', accuracy, baseline)
    defaults: dict[str, Any] = {
        'name': 'sentiment',
        'data': SUMMARY,
        'spans': '',
        'evaluation': read_evaluation(str(tmp_path / 'evaluation')),
        'settings': {
            'trainer': trainer_settings(architecture).model_dump(),
            'text': TextSettings(max_tokens=250).model_dump(),
        },
        'signatures': frozenset(
            {features.EXAMPLES_SIGNATURE, features.TEXT_SIGNATURE, features.EXPLAIN_SIGNATURE}
        ),
        'pushed': '2026-01-02 03:04 UTC',
        'fingerprint': 'f1',
        'digest': 'd1',
    }
    return write_card(CardFacts(**{**defaults, **facts}))


def rows_of(card: str, first: str) -> list[list[str]]:
    """Return the cells of the rows of a table, by the head of its first column."""
    lines = card.splitlines()
    (start,) = (n for n, line in enumerate(lines) if line.startswith(f'| {first} |'))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith('|'):
            break
        rows.append([cell.strip() for cell in line.strip('|').split(' | ')])
    return rows


def test_splits_are_counted_when_there_are_texts_without_a_label(tmp_path: pathlib.Path) -> None:
    card = make_card(tmp_path, spans='2 spans 3 to 4')
    assert 'The data was read from `a/*.csv` (2 spans 3 to 4).' in card
    assert [row[:4] for row in rows_of(card, 'split')] == [
        ['`train`', '1,000', '600 (60.0%)', '400 (40.0%)'],
        ['`val`', '100', '60 (60.0%)', '40 (40.0%)'],
        ['`test`', '200', '120 (60.0%)', '80 (40.0%)'],
        ['`unsup`', '5,000', '', ''],
    ]
    assert 'Rejected: 3 rows: 3 empty text.' in card


def test_metrics_are_those_of_the_evaluation_when_there_is_no_baseline(
    tmp_path: pathlib.Path,
) -> None:
    card = make_card(tmp_path)
    metrics = read_evaluation(str(tmp_path / 'evaluation')).metrics
    rows = {row[0]: row[1:] for row in rows_of(card, 'metric')}
    assert [rows['accuracy'][n] for n in (0, 2, 3, 4)] == ['0.9000', '>= 0.8000', 'none', '']
    assert [rows['loss'][n] for n in (0, 2, 3)] == [f'{metrics["loss"]:.4f}', '', 'none']
    assert set(rows) >= {'accuracy', 'loss', 'AUC', 'F1', 'specificity', 'calibration'}
    assert not any('baseline, on the same' in line for line in card.splitlines())
    assert 'no other model was served' in card


@pytest.mark.parametrize(
    ('overlap', 'sentence'),
    [
        (0.492, 'Of these texts, 0.492% are also in `train` or `val` (bound: <= 5%).'),
        (0.0, 'None of these texts is also in `train` or `val`.'),
        (None, 'It is not known how many of these texts are also in `train` or `val`.'),
    ],
)
def test_texts_of_test_that_training_has_are_named(
    overlap: float | None, sentence: str, tmp_path: pathlib.Path
) -> None:
    write_evaluation(tmp_path / 'evaluation', 0.9)
    found = read_evaluation(str(tmp_path / 'evaluation'))
    found.metrics['test_overlap_percent'] = overlap
    assert sentence in make_card(tmp_path, evaluation=found)


def test_bound_follows_the_baseline_when_there_is_one(tmp_path: pathlib.Path) -> None:
    card = make_card(tmp_path, baseline=0.88)
    rows = {row[0]: row[1:] for row in rows_of(card, 'metric')}
    assert rows['accuracy'][2:4] == ['>= 0.8000, and >= 0.8700 (baseline)', '0.8800']
    assert rows['accuracy'][4].startswith('+0.0200')
    assert 'no other model was served' not in card
    assert rows['AUC'][2] == '>= 0.7000'
    assert f'The AUC of the baseline on the same texts is {rows["AUC"][3]}' in card


def test_slices_have_counts_and_intervals_when_they_have_examples(tmp_path: pathlib.Path) -> None:
    write_evaluation(tmp_path / 'evaluation', 0.9)
    found = read_evaluation(str(tmp_path / 'evaluation'))
    intervals = {'length=11-50': {'binary_accuracy': (0.84, 0.94)}}
    found = dataclasses.replace(found, slice_intervals=intervals)
    first, second = rows_of(make_card(tmp_path, evaluation=found), 'words')
    assert first[:4] == ['11-50', '150', '0.9000', '0.8400 to 0.9400']
    assert first[-1] == '>= 0.7000'
    assert second[:3] == ['51-100', '50', '0.9000']
    assert second[-1].strip() == ''


def test_metrics_have_intervals_and_changes_when_they_are_known(tmp_path: pathlib.Path) -> None:
    write_evaluation(tmp_path / 'evaluation', 0.9, 0.88)
    found = dataclasses.replace(
        read_evaluation(str(tmp_path / 'evaluation')),
        intervals={'binary_accuracy': (0.85, 0.93)},
        changes={
            'binary_accuracy': MetricChange(
                change=0.02, low=-0.01, high=0.05, verdict='no difference'
            )
        },
        confidence=0.9,
        judged_by='interval',
    )
    card = make_card(tmp_path, evaluation=found)
    rows = {row[0]: row[1:] for row in rows_of(card, 'metric')}
    assert rows['accuracy'][1] == '0.8500 to 0.9300'
    assert rows['accuracy'][4] == '+0.0200 (-0.0100 to +0.0500), no difference'
    assert '| 90% interval |' in card
    assert 'The worse end of each interval met the bound.' in card
    assert 'these texts cannot show which model is better' in card


def test_bounds_on_other_slices_are_listed_when_there_are_any(tmp_path: pathlib.Path) -> None:
    write_evaluation(tmp_path / 'evaluation', 0.9)
    found = read_evaluation(str(tmp_path / 'evaluation'))
    check = Check(metric='auc', slice='product=a|b', value=0.8, bound='>= 0.7000', passed=True)
    found = dataclasses.replace(
        found,
        thresholds=(check, dataclasses.replace(check, metric='loss', skipped='9 texts')),
        slices={**found.slices, 'product=a|b': {'example_count': 120.0}},
        slice_intervals={'product=a|b': {'auc': (0.75, 0.85)}},
    )
    rows = rows_of(make_card(tmp_path, evaluation=found), 'slice')
    assert rows == [
        [r'`product=a\|b`', '120', 'AUC', '0.8000', '0.7500 to 0.8500', '>= 0.7000'],
        [r'`product=a\|b`', '120', 'loss', '0.8000', '', '>= 0.7000 (not judged: 9 texts)'],
    ]


def test_limits_name_slices_with_few_examples(tmp_path: pathlib.Path) -> None:
    card = make_card(tmp_path)
    assert '1-10 (0), 51-100 (50), 101-200 (0), 201-400 (0), 401+ (0).' in card
    assert 'The model reads at most the first 250 words.' in card


@pytest.mark.parametrize(
    ('architecture', 'read', 'not_read'),
    [
        ('ngram', {'svm_cost', 'max_ngram', 'dimensions'}, {'epochs'}),
        ('tutorial', {'epochs', 'dropout'}, {'svm_cost', 'fit_to_val', 'dimensions'}),
    ],
)
def test_settings_are_those_of_the_architecture(
    architecture: str, read: set[str], not_read: set[str], tmp_path: pathlib.Path
) -> None:
    card = make_card(tmp_path, architecture=architecture)
    listed = {row[0].strip('`') for row in rows_of(card, 'setting')}
    assert listed >= {f'trainer.model.{name}' for name in read}
    assert listed >= {'text.max_tokens', 'trainer.seed'}
    assert not listed & {f'trainer.model.{name}' for name in not_read}
    assert ('training of the n-gram weights' in card) == (architecture != 'tutorial')


def test_labels_stay_text_when_they_look_like_markdown(tmp_path: pathlib.Path) -> None:
    data = SUMMARY.__class__(
        splits=SUMMARY.splits, labels=('a|b', '`x`\n# y'), rejected={}, sources=()
    )
    card = make_card(tmp_path, data=data)
    assert '`` `x` # y ``' in card
    assert all(line.startswith(('# Model', '## ')) for line in card.splitlines() if line[:1] == '#')
    assert len(rows_of(card, 'split')) == 3
    assert '| `a\\|b` |' in card
    assert 'a source that was not recorded' in card


def predict(folder: pathlib.Path, body: dict[str, Any]) -> dict[str, Any]:
    """Answer a request by the rules of TensorFlow Serving's REST API.

    With `inputs`, a request names tensors, and so does the response. With `instances`, it has
    one value per text for the only input, and the response must have one value per text.
    """
    model = tf.saved_model.load(str(folder))
    signature = model.signatures[body.get('signature_name', 'serving_default')]
    (name,) = signature.structured_input_signature[1]
    inputs = body['inputs'] if 'inputs' in body else {name: body['instances']}
    outputs = signature(**{key: tf.constant(value) for key, value in inputs.items()})
    found = {key: value.numpy().tolist() for key, value in outputs.items()}
    if 'inputs' in body:
        return {'outputs': found}
    (values,) = found.values()
    assert len(values) == len(body['instances'])
    return {'predictions': values}


def test_requests_in_the_card_return_the_documented_responses(
    tmp_path: pathlib.Path, exported: Exported
) -> None:
    card = make_card(tmp_path)
    requests = re.findall(r"curl (\S+) \\\n  -d '(.*)'", card)
    assert {url for url, _ in requests} == {'http://HOST:8501/v1/models/sentiment:predict'}
    score, explain = (json.loads(body) for _, body in requests)
    answer = predict(exported.serving, score)
    assert answer == {
        'predictions': pytest.approx(exported.probabilities(score['instances']), abs=1e-6)
    }
    found = predict(exported.serving, explain)['outputs']
    named = set(re.findall(r'`(\w+)`', card[card.index('{"outputs"') :].splitlines()[0]))
    assert named == set(found)
    logit = found['bias'][0] + sum(found['contributions'])
    assert tf.sigmoid(logit).numpy() == pytest.approx(
        exported.probabilities(explain['inputs']['text'])[0], abs=1e-5
    )


@pytest.mark.parametrize(
    ('decision', 'line'),
    [
        (DecisionThreshold(threshold=0.5), None),
        (
            DecisionThreshold(threshold=0.3),
            'It predicts `pos` if this probability is above 0.3, its decision threshold '
            '(`assets.extra/threshold.json`).',
        ),
        (
            DecisionThreshold(threshold=0.27314, aim='recall at precision 0.8'),
            'It predicts `pos` if this probability is above 0.2731, its decision threshold '
            '(`assets.extra/threshold.json`), which has the best recall at precision 0.8 on `val`.',
        ),
    ],
)
def test_card_names_the_threshold_and_its_aim_when_it_is_not_the_default(
    decision: DecisionThreshold, line: str | None, tmp_path: pathlib.Path
) -> None:
    card = make_card(tmp_path, decision=decision)
    found = [each for each in card.splitlines() if each.startswith('It predicts')]
    assert found == ([line] if line else [])
    above = {0.5: '0.5', 0.3: '0.3'}.get(decision.threshold, '0.2731')
    assert f'from 0 to 1. Above {above}, this label is predicted.' in card
