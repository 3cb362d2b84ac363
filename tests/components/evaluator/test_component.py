from __future__ import annotations

import collections
import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator import constants, executor
from tfx.types import standard_artifacts

from components.common import features
from components.common.errors import ComponentError
from components.common.settings import Executors
from components.evaluator.evaluation import read_evaluation
from components.evaluator.executor import Executor
from components.evaluator.score_details import SHOWN_PARTS, read_score_details
from components.evaluator.settings import GateSettings
from components.evaluator.tfma.files import read_config
from components.served_baseline.baseline import NO_BASELINE_FILE
from components.statistics_gen.text_statistics import TEXT_STATISTICS_FILE
from tests.components.evaluator.evaluated import Evaluated, evaluate, write_text_statistics
from tests.components.evaluator.tfma.test_user_config import EXAMPLE
from tests.components.trainer.tiny import (
    TEXT,
    Exported,
    Tiny,
    build,
    copy_damaged,
    export_model,
    shift_bias,
    write_split,
    write_summary,
)
from tests.conftest import LOCAL_BEAM_ARGS

OVERALL = ''
# TFMA's class for each metric that TFMA has too.
TFMA_METRICS = {
    'binary_accuracy': 'BinaryAccuracy',
    'loss': 'BinaryCrossEntropy',
    'auc': 'AUC',
    'precision': 'Precision',
    'recall': 'Recall',
    'specificity': 'Specificity',
    'f1': 'F1Score',
    'balanced_accuracy': 'BalancedAccuracy',
    'auc_precision_recall': 'AUCPrecisionRecall',
    'calibration': 'Calibration',
    'example_count': 'ExampleCount',
}
SLICES = {f'{features.LENGTH_KEY}={name}' for name in ('1-10', '11-50', '51-100', '101-200')}
Model = standard_artifacts.Model


@pytest.fixture(scope='module')
def models(
    exported: Exported, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Model]:
    """Return a Model artifact by name: good, fresh (never trained) or biased.

    The biased model ranks like the good one and predicts positive for nearly all texts.
    """

    @functools.cache
    def make(name: str) -> Model:
        artifact = Model()
        artifact.uri = str(tmp_path_factory.mktemp(name))
        artifact.id = {'good': 1, 'fresh': 2, 'biased': 4}[name]
        serving = pathlib.Path(artifact.uri) / 'Format-Serving'
        if name == 'good':
            shutil.copytree(exported.serving, serving)
            return artifact
        keras.utils.set_random_seed(1)
        model = build() if name == 'fresh' else shift_bias(exported.model, 2)
        export_model(model, tiny, serving)
        return artifact

    return make


GATE = GateSettings(min_accuracy=0.7, max_accuracy_drop=0.05)
LOW = GateSettings(min_accuracy=0.01, max_accuracy_drop=0.05)


@pytest.fixture(scope='module')
def alone(
    tiny: Tiny, models: Callable[[str], Model], tmp_path_factory: pytest.TempPathFactory
) -> Evaluated:
    """Return the evaluation of the good model without a baseline."""
    return evaluate(tmp_path_factory.mktemp('alone'), tiny, models('good'), None, GATE)


def test_accuracy_and_loss_equal_those_of_keras(alone: Evaluated, exported: Exported) -> None:
    overall = alone.metrics[''][OVERALL]
    network, tokens = exported.model.network, exported.test.padded(TEXT.max_tokens)
    expected = network.evaluate(tokens, exported.test.labels, verbose=0, return_dict=True)
    assert 0.6 < overall['binary_accuracy'] < 1
    assert overall['binary_accuracy'] == pytest.approx(expected['binary_accuracy'], abs=1e-5)
    assert overall['loss'] == pytest.approx(expected['loss'], abs=1e-5)


def test_slices_by_length_add_up_to_the_overall_metrics(alone: Evaluated, tiny: Tiny) -> None:
    slices = dict(alone.metrics[''])
    overall = slices.pop(OVERALL)
    lengths = collections.Counter(
        f'length={features.length_bucket(len(text.split()))}' for text, _ in tiny.reviews['test']
    )
    assert set(lengths) == SLICES
    counts = {where: values['example_count'] for where, values in slices.items()}
    assert counts == lengths
    assert overall['example_count'] == len(tiny.reviews['test'])
    for name in ('binary_accuracy', 'loss'):
        total = sum(counts[where] * slices[where][name] for where in slices)
        assert total / overall['example_count'] == pytest.approx(overall[name])


def test_model_is_blessed_with_its_id_when_there_is_no_baseline(alone: Evaluated) -> None:
    assert alone.blessed
    properties = (
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
        constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
    )
    assert [alone.blessing.get_int_custom_property(name) for name in properties] == [1, 0]


def test_metrics_equal_those_of_tfma(
    alone: Evaluated, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    # A run of TFMA with its own metric classes, from reading the files to the gate.
    config = read_config(alone.evaluation)
    config.metrics_specs[0].metrics.extend(
        config_pb2.MetricConfig(class_name=theirs, config=f'{{"name": "tfma_{name}"}}')
        for name, theirs in TFMA_METRICS.items()
    )
    model = pathlib.Path(models('good').uri) / 'Format-Serving'
    result = tfma.run_model_analysis(
        eval_shared_model=tfma.default_eval_shared_model(str(model), eval_config=config),
        eval_config=config,
        data_location=tiny.pattern('test'),
        output_path=str(tmp_path),
        pipeline_options=PipelineOptions(LOCAL_BEAM_ARGS),
    )
    assert len(result.slicing_metrics) == 1 + len(SLICES)
    for where, of_outputs in result.slicing_metrics:
        values = {name: v['doubleValue'] for name, v in of_outputs[''][''].items()}
        ours = dict(alone.metrics[''][','.join(f'{column}={value}' for column, value in where)])
        # Of the data, which TFMA does not know.
        assert ours.pop('test_overlap_percent', 0) == 0
        theirs = {name: values[f'tfma_{name}'] for name in TFMA_METRICS}
        # The histograms behind AUC differ in where a bucket ends: one pair more or less is a tie.
        for name in ('auc', 'auc_precision_recall'):
            assert ours[name] == pytest.approx(theirs.pop(name), abs=0.01)
        assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-5)
        assert ours == pytest.approx({name: values[name] for name in ours}, rel=1e-6)
    assert tfma.load_validation_result(str(tmp_path)).validation_ok


def test_tfma_reads_configuration_metrics_and_verdict(
    alone: Evaluated, models: Callable[[str], Model]
) -> None:
    result = tfma.load_eval_result(alone.evaluation)
    assert {where for where, _ in result.slicing_metrics} == {
        (),
        *((tuple(where.split('=')),) for where in SLICES),
    }
    assert result.model_location == str(pathlib.Path(models('good').uri) / 'Format-Serving')
    accuracy, _, auc, *_ = result.config.metrics_specs[0].metrics
    for metric, lowest in ((accuracy, GATE.min_accuracy), (auc, GATE.min_auc)):
        (bound,) = metric.per_slice_thresholds
        assert bound.threshold.value_threshold.lower_bound.value == lowest
    assert tfma.load_validation_result(alone.evaluation).validation_ok


def test_score_details_are_stored(alone: Evaluated, exported: Exported, tiny: Tiny) -> None:
    found = read_score_details(alone.evaluation)
    assert found is not None
    assert found.baseline is None
    reviews = tiny.reviews['test']
    scores = exported.probabilities([text for text, _ in reviews])
    scored = [(abs(p - 0.5), text, y, p) for (text, y), p in zip(reviews, scores)]
    wrong = sorted((row for row in scored if row[2] != (row[3] > 0.5)), key=lambda row: -row[0])
    assert 0 < len(wrong) <= 20
    assert len(wrong) == found.false_positives + found.false_negatives
    assert [example.probability for example in found.mistakes] == pytest.approx(
        [row[3] for row in wrong], abs=1e-6
    )
    assert {(e.text, e.label) for e in found.mistakes} == {row[1:3] for row in wrong}
    nearest = sorted(scored)[:20]
    assert [abs(example.probability - 0.5) for example in found.uncertain] == pytest.approx(
        [row[0] for row in nearest], abs=1e-6
    )
    overall = alone.metrics[''][OVERALL]
    assert found.unscored == 0
    right = found.true_positives + found.true_negatives
    assert right / len(reviews) == pytest.approx(overall['binary_accuracy'])
    assert sum(found.candidate.positive) == sum(label for _, label in reviews)
    assert sum(found.candidate.negative) == sum(1 - label for _, label in reviews)


def test_contributions_equal_those_of_the_explain_signature(
    alone: Evaluated, models: Callable[[str], Model]
) -> None:
    found = read_score_details(alone.evaluation)
    assert found is not None
    model = tf.saved_model.load(os.path.join(models('good').uri, 'Format-Serving'))
    explain = model.signatures[features.EXPLAIN_SIGNATURE]
    for example in found.mistakes[:3] + found.uncertain[:3]:
        answer = explain(text=tf.constant([example.text]))
        ngrams = [ngram.decode() for ngram in answer[features.NGRAMS_KEY].numpy().tolist()]
        assert [ngram for ngram, _ in example.contributions] == ngrams[:SHOWN_PARTS]
        assert [value for _, value in example.contributions] == pytest.approx(
            answer[features.CONTRIBUTIONS_KEY].numpy().tolist()[:SHOWN_PARTS], abs=1e-5
        )


@pytest.mark.parametrize('shards', [[[]], []], ids=['no_example', 'no_file'])
def test_model_is_not_blessed_when_test_has(
    shards: list[list[Any]], tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    write_split(tmp_path / 'examples' / 'Split-test', shards)
    write_summary(tmp_path / 'examples', {'test': (0, 0)})
    empty = dataclasses.replace(tiny, examples=tmp_path / 'examples')
    found = evaluate(tmp_path, empty, models('good'), None, LOW)
    assert not found.blessed
    assert not found.metrics
    details = read_score_details(found.evaluation)
    assert details is not None
    assert not any(details.candidate.positive + details.candidate.negative)


@pytest.mark.parametrize('damage', ['dropped', 'truncated', 'duplicated'])
def test_run_fails_when_a_shard_of_test_is(
    damage: str, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    damaged, left = copy_damaged(tiny, tmp_path, 'test', damage)
    message = f'^Evaluator: expected the 60 examples of test that ExampleGen wrote, got {left}$'
    with pytest.raises(ComponentError, match=message):
        evaluate(tmp_path, damaged, models('good'), None, LOW)
    assert not (tmp_path / 'blessing').exists()


def test_both_models_are_measured_when_there_is_a_baseline(
    alone: Evaluated, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    both_models = (models('good'), models('fresh'))
    # The baseline was never trained, so that its AUC is a matter of chance.
    found = evaluate(tmp_path, tiny, *both_models, GATE, min_baseline_auc=0.0)
    assert found.blessed
    metrics = {model: slices[OVERALL] for model, slices in found.metrics.items()}
    assert metrics['candidate'] == pytest.approx(alone.metrics[''][OVERALL])
    assert metrics['diff']['binary_accuracy'] == pytest.approx(
        metrics['candidate']['binary_accuracy'] - metrics['baseline']['binary_accuracy']
    )
    assert metrics['diff']['binary_accuracy'] > 0.1
    both, one = read_score_details(found.evaluation), read_score_details(alone.evaluation)
    assert both is not None
    assert both.baseline is not None
    # The details of the candidate do not depend on the baseline.
    assert dataclasses.replace(both, baseline=None) == one
    assert sum(both.baseline.positive) == sum(both.candidate.positive)
    assert both.baseline != both.candidate


@pytest.mark.parametrize('baseline', ['fresh', 'absent'])
def test_tfx_executor_gives_the_same_metrics_and_verdict(
    baseline: str,
    alone: Evaluated,
    tiny: Tiny,
    models: Callable[[str], Model],
    tmp_path: pathlib.Path,
) -> None:
    fast = alone
    served = models('fresh') if baseline == 'fresh' else absent(tmp_path)
    gate = GATE.model_copy(update={'min_baseline_auc': 0.0})
    if baseline == 'fresh':
        fast = evaluate(tmp_path / 'fast', tiny, models('good'), served, gate)
    stock = evaluate(tmp_path / 'stock', tiny, models('good'), served, gate, 'stock')
    assert stock.blessed
    assert fast.blessed
    assert stock.metrics.keys() == fast.metrics.keys()
    for of_model, slices in fast.metrics.items():
        assert stock.metrics[of_model].keys() == slices.keys()
        for where, found in slices.items():
            # Of the data, which the second pass of the stock executor adds.
            values = {name: v for name, v in found.items() if name != 'test_overlap_percent'}
            # The last bits of a float32 score depend on the other texts in its batch.
            assert stock.metrics[of_model][where] == pytest.approx(values, abs=1e-7, nan_ok=True)
            for name in ('binary_accuracy', 'auc', 'precision', 'recall', 'example_count'):
                assert stock.metrics[of_model][where][name] == pytest.approx(
                    values[name], abs=1e-9, nan_ok=True
                )
    ours, theirs = (read_evaluation(found.evaluation) for found in (fast, stock))
    assert ours.metrics.keys() == theirs.metrics.keys()
    assert [(c.label, c.passed) for c in theirs.thresholds] == [
        (c.label, c.passed) for c in ours.thresholds
    ]
    details = [read_score_details(found.evaluation) for found in (stock, fast)]
    assert details[0] == details[1] is not None
    properties = [
        (
            found.blessing.get_int_custom_property(
                constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY
            ),
            found.blessing.get_int_custom_property(
                constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY
            ),
        )
        for found in (stock, fast)
    ]
    assert properties[0] == properties[1]


def test_tfma_judges_by_a_configuration_of_the_user(
    alone: Evaluated, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    # A bound of the settings does not apply.
    gate = GateSettings(min_accuracy=1, max_accuracy_drop=0, eval_config=str(EXAMPLE))
    found = evaluate(tmp_path / 'first', tiny, models('good'), None, gate)
    assert found.blessed
    evaluation = read_evaluation(found.evaluation)
    assert [(c.label, c.bound, c.passed) for c in evaluation.thresholds] == [
        ('accuracy', '>= 0.6000', True),
        ('AUC', '>= 0.7000', True),
        ('AUC, 11-50 words', '>= 0.7000', True),
        ('percent of test in train or val', '<= 5', True),
    ]
    overall = alone.metrics[''][OVERALL]
    assert evaluation.metrics['auc'] == pytest.approx(overall['auc'], abs=0.01)
    assert 0 < (evaluation.metrics['precision_at_recall'] or 0) <= 1
    assert evaluation.metrics['example_count'] == 60  # one of this project's
    assert set(evaluation.slices) == SLICES
    assert read_score_details(found.evaluation) is not None

    worse = evaluate(tmp_path / 'second', tiny, models('biased'), models('good'), gate)
    assert not worse.blessed
    evaluation = read_evaluation(worse.evaluation)
    assert evaluation.baseline is not None
    assert evaluation.baseline['precision_at_recall'] is not None
    failed = {(c.label, c.bound) for c in evaluation.thresholds if not c.passed}
    assert ('accuracy', 'change >= -0.0200') in failed
    passed = {(c.label, c.bound) for c in evaluation.thresholds if c.passed}
    assert ('AUC of the baseline', '>= 0.5000') in passed


def test_bounds_of_the_run_are_used_when_it_overrides_them(
    tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    bounds = {'min_accuracy': 1.0, 'min_auc': 0.999, 'min_baseline_auc': 0.998}
    stricter = evaluate(tmp_path / '1', tiny, models('good'), models('fresh'), LOW, **bounds)
    assert not stricter.blessed
    checks = read_evaluation(stricter.evaluation).thresholds
    assert {(check.metric, check.bound) for check in checks if not check.passed} == {
        ('binary_accuracy', '>= 1.0000'),
        ('auc', '>= 0.9990'),
        ('baseline_auc', '>= 0.9980'),
    }
    worse = (models('biased'), models('good'), LOW)
    assert not evaluate(tmp_path / '2', tiny, *worse).blessed
    assert evaluate(tmp_path / '3', tiny, *worse, max_accuracy_drop=0.99).blessed


@pytest.mark.parametrize(
    ('way', 'seen', 'bounds', 'blessed'),
    [
        ('fast', 3, {}, True),  # 5% of 60
        ('fast', 4, {}, False),
        ('fast', None, {}, False),
        ('fast', 4, {'max_test_overlap_percent': 10.0}, True),
        ('fast', 1, {'max_test_overlap_percent': 0.0}, False),
        ('fast', None, {'max_test_overlap_percent': 100.0}, True),
        ('stock', 4, {}, False),
        ('stock', 4, {'max_test_overlap_percent': 10.0}, True),
        ('eval_config', None, {}, False),
        ('eval_config', None, {'max_test_overlap_percent': 100.0}, True),
    ],
)
def test_model_is_blessed_when_few_texts_of_test_are_in_training(
    way: str,
    seen: int | None,
    bounds: dict[str, float],
    blessed: bool,
    tiny: Tiny,
    models: Callable[[str], Model],
    tmp_path: pathlib.Path,
) -> None:
    gate = LOW.model_copy(update={'eval_config': str(EXAMPLE)} if way == 'eval_config' else {})
    executors: Executors = 'stock' if way == 'stock' else 'fast'
    found = evaluate(tmp_path, tiny, models('good'), None, gate, executors, seen=seen, **bounds)
    assert found.blessed is blessed
    assert tfma.load_validation_result(found.evaluation).validation_ok is blessed
    evaluation = read_evaluation(found.evaluation)
    assert evaluation.metrics['test_overlap_percent'] == (
        None if seen is None else pytest.approx(100 * seen / 60)
    )
    failed = [check for check in evaluation.thresholds if not check.passed]
    assert [check.metric for check in failed] == ([] if blessed else ['test_overlap_percent'])
    shown = [check for check in evaluation.thresholds if check.metric == 'test_overlap_percent']
    assert len(shown) == (bounds.get('max_test_overlap_percent') != 100)
    for check in failed:
        hint = 'StatisticsGen did not count' if seen is None else 'remove the texts from test'
        assert hint in check.hint


@pytest.mark.parametrize(
    'content', [b'', b'{}', b'\xff', b'{"splits": [], "drift": {}, "fingerprint_words": []}']
)
def test_model_is_not_blessed_when_the_statistics_of_the_texts_are_damaged(
    content: bytes, tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    file = tmp_path / 'statistics' / TEXT_STATISTICS_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    found = evaluate(tmp_path, tiny, models('good'), None, LOW, seen=None)
    assert not found.blessed
    (failed,) = (c for c in read_evaluation(found.evaluation).thresholds if not c.passed)
    assert (failed.metric, failed.value, failed.bound) == ('test_overlap_percent', None, '<= 5')


def test_model_is_not_blessed_when_the_statistics_are_those_of_other_examples(
    tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    write_text_statistics(tmp_path / 'statistics', 59, 0)
    assert not evaluate(tmp_path, tiny, models('good'), None, LOW, seen=None).blessed


def absent(folder: pathlib.Path) -> Model:
    """Return a note that there is no baseline."""
    nothing = Model()
    nothing.uri = str(folder / 'nothing')
    pathlib.Path(nothing.uri).mkdir()
    (pathlib.Path(nothing.uri) / NO_BASELINE_FILE).touch()
    return nothing


def test_first_model_is_blessed_when_the_baseline_artifact_is_empty(
    tiny: Tiny, models: Callable[[str], Model], tmp_path: pathlib.Path
) -> None:
    found = evaluate(tmp_path, tiny, models('good'), absent(tmp_path), GATE)
    assert found.blessed
    assert set(found.metrics) == {''}


def test_executor_is_a_subclass_of_that_of_tfx() -> None:
    # TFX's entry point requires it before it replaces ids by the names that resolvers need.
    assert issubclass(Executor, executor.Executor)
