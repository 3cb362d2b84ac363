"""The Evaluator on examples with feature columns, and on models with decision thresholds."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from pyarrow import parquet

from components.common.decision_threshold import THRESHOLD_ASSET
from components.common.settings import Executors
from components.evaluator.evaluation import Evaluation, read_evaluation
from components.evaluator.settings import GateSettings
from tests.components.evaluator.evaluated import Model, evaluate
from tests.components.trainer.tiny import Exported, Tiny, make_example, write_summary

COLUMNS = ('product:string', 'stars:int', 'price:float')
LOW = {'min_accuracy': 0.01, 'max_accuracy_drop': 0.99, 'min_auc': 0.51, 'min_slice_examples': 5}


def model_of(exported: Exported, folder: pathlib.Path, threshold: float | None = None) -> Model:
    """Return the trained model, with a decision threshold."""
    shutil.copytree(exported.serving, folder / 'Format-Serving')
    if threshold is not None:
        asset = folder / 'Format-Serving' / 'assets.extra' / THRESHOLD_ASSET
        asset.write_text(json.dumps({'threshold': threshold}))
    artifact = Model()
    artifact.uri, artifact.id = str(folder), 1
    return artifact


def with_columns(tiny: Tiny, folder: pathlib.Path, products: int = 1) -> Tiny:
    """Return the reviews of test with a product; all labels of `cup` are wrong.

    Args:
        tiny: The data.
        folder: Folder for the examples.
        products: Number of values of the column of each example.
    """
    split = folder / 'examples' / 'Split-test'
    split.mkdir(parents=True)
    reviews = tiny.reviews['test']
    positives = 0
    for shard in range(2):
        path = split / f'data_tfrecord-{shard:05}-of-00002.gz'
        with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
            for number, (text, label) in list(enumerate(reviews))[shard::2]:
                product = ['tea', 'tea', 'cup', None, 'pan'][number % 5] if number else 'rare'
                shown = 1 - label if product == 'cup' else label
                example = tf.train.Example.FromString(make_example(text, shown))
                feature = example.features.feature
                if product:
                    feature['product'].bytes_list.value.extend([product.encode()] * products)
                feature['stars'].int64_list.value.append(number % 3)
                feature['price'].float_list.value.append(number / 10)
                writer.write(example.SerializeToString())
                positives += shown
    write_summary(folder / 'examples', {'test': (len(reviews) - positives, positives)})
    return dataclasses.replace(tiny, examples=folder / 'examples')


def run(
    tiny: Tiny,
    folder: pathlib.Path,
    candidate: Model,
    baseline: Model | None = None,
    executors: Executors = 'fast',
    **gate: Any,
) -> tuple[bool, Evaluation]:
    """Evaluate; return the verdict, which is the same everywhere, and the evaluation."""
    settings = GateSettings.model_validate(LOW | gate)
    found = evaluate(folder, tiny, candidate, baseline, settings, executors, columns=COLUMNS)
    assert tfma.load_validation_result(found.evaluation).validation_ok is found.blessed
    return found.blessed, read_evaluation(found.evaluation)


def test_slice_of_a_product_fails_when_all_of_its_labels_are_wrong(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    data = with_columns(tiny, tmp_path)
    slices = {'product': {'accuracy': {'min': 0.5}}, 'stars, product=tea': {}, 'price': {}}
    found = {}
    for executors in ('fast', 'stock'):
        folder = tmp_path / executors
        model = model_of(exported, folder / 'model')
        blessed, evaluation = run(data, folder, model, None, executors, slices=slices)
        assert not blessed
        failed = [check.slice for check in evaluation.thresholds if not check.passed]
        assert failed == ['product=cup']
        found[executors] = evaluation
    fast, stock = found['fast'], found['stock']
    by_name = {name: values['example_count'] for name, values in fast.slices.items()}
    assert {name: n for name, n in by_name.items() if name.startswith('product')} == {
        'product=(none)': 12,
        'product=(other)': 1,
        'product=cup': 12,
        'product=pan': 12,
        'product=tea': 23,
    } | {name: n for name, n in by_name.items() if name.startswith('product=tea, stars')}
    crosses = [n for name, n in by_name.items() if name.startswith('product=tea, stars=')]
    assert (len(crosses), sum(crosses)) == (3, 23)
    assert by_name['price=0.0 to 1.4'] == 15
    assert fast.slices['product=cup']['binary_accuracy'] == pytest.approx(
        sum((p > 0.5) != y for p, y in cup_scores(tiny, exported)) / 12
    )
    (rare,) = (check for check in fast.thresholds if check.slice == 'product=(other)')
    assert rare.skipped == '1 text, fewer than gate.min_slice_examples (5)'
    # The executor of TFX gives the same, and its files have the same slices.
    assert [c.label for c in stock.thresholds] == [c.label for c in fast.thresholds]
    assert fast.slices.keys() == stock.slices.keys()
    for name, values in fast.slices.items():
        assert stock.slices[name] == pytest.approx(values, abs=1e-6, nan_ok=True)
    for executors in ('fast', 'stock'):
        result = tfma.load_eval_result(str(tmp_path / executors / 'evaluation'))
        keys = {tuple(sorted(key)) for key, _ in result.slicing_metrics}
        assert {(('product', 'tea'),), (('product', 'tea'), ('stars', 1)), ()} <= keys
        (failure,) = tfma.load_validation_result(
            str(tmp_path / executors / 'evaluation')
        ).metric_validations_per_slice
        assert failure.slice_key.single_slice_keys[0].bytes_value == b'cup'


def cup_scores(tiny: Tiny, exported: Exported) -> list[tuple[float, int]]:
    """Return probability and true label of the reviews of cups."""
    reviews = [review for n, review in enumerate(tiny.reviews['test']) if n % 5 == 2]
    return list(zip(exported.probabilities([text for text, _ in reviews]), dict(reviews).values()))


def test_scores_name_file_and_row_of_each_example(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    data = with_columns(tiny, tmp_path)
    model = model_of(exported, tmp_path / 'model')
    run(data, tmp_path / 'run', model, model)
    report = tmp_path / 'run' / 'evaluation' / 'report'
    shards = sorted(report.glob('scores-*.parquet'))
    assert [path.name for path in shards] == [
        'scores-00000-of-00002.parquet',
        'scores-00001-of-00002.parquet',
    ]
    for shard, path in enumerate(shards):
        table = parquet.read_table(path).to_pydict()
        texts = [text for text, _ in tiny.reviews['test'][shard::2]]
        assert table['row'] == list(range(30))
        for name in ('candidate', 'baseline'):
            assert table[f'probability.{name}'] == pytest.approx(
                exported.probabilities(texts), abs=1e-6
            )
    assert not (tmp_path / 'run' / 'evaluation' / '.unfinished').exists()


@pytest.mark.parametrize(
    ('slices', 'small_slices', 'blessed'),
    [
        ({'product=tae': {'recall': {'min': 0.01}}}, 'report', False),
        ({'product=tae': {}}, 'report', True),
        ({'product=rare': {'accuracy': {'min': 0.01}}}, 'report', True),
        ({'product=rare': {'accuracy': {'min': 0.01}}}, 'refuse', False),
    ],
)
def test_slice_without_enough_examples(
    slices: dict[str, Any],
    small_slices: str,
    blessed: bool,
    tiny: Tiny,
    exported: Exported,
    tmp_path: pathlib.Path,
) -> None:
    data = with_columns(tiny, tmp_path)
    model = model_of(exported, tmp_path / 'model')
    options = {'slices': slices, 'small_slices': small_slices}
    assert run(data, tmp_path / 'run', model, **options)[0] is blessed


def test_run_fails_when_an_example_has_several_values(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    data = with_columns(tiny, tmp_path, products=2)
    model = model_of(exported, tmp_path / 'model')
    with pytest.raises(Exception, match="expected one value of the column 'product'.*, got 2"):
        run(data, tmp_path / 'run', model, slices={'product': {}})
    assert not (tmp_path / 'run' / 'blessing').exists()


@pytest.mark.parametrize('executors', ['fast', 'stock'])
def test_each_model_is_judged_at_its_decision_threshold(
    executors: Executors, tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    candidate = model_of(exported, tmp_path / 'candidate', 0.9)
    baseline = model_of(exported, tmp_path / 'baseline', 0.1)
    folder = tmp_path / 'run'
    _, evaluation = run(tiny, folder, candidate, baseline, executors)
    assert (evaluation.threshold, evaluation.baseline_threshold) == (0.9, 0.1)
    texts, labels = zip(*tiny.reviews['test'])
    scores = np.array(exported.probabilities(list(texts)))
    recalls = {
        name: float((scores[np.array(labels) == 1] > threshold).mean())
        for name, threshold in (('candidate', 0.9), ('baseline', 0.1))
    }
    assert recalls['candidate'] < recalls['baseline']
    assert evaluation.metrics['recall'] == pytest.approx(recalls['candidate'])
    assert evaluation.baseline is not None
    assert evaluation.baseline['recall'] == pytest.approx(recalls['baseline'])
    assert evaluation.changes['recall'].verdict == 'worse'
    assert evaluation.changes['auc'].verdict == 'no difference'
    # TFMA's files agree.
    for record in tfma.load_metrics(str(folder / 'evaluation')):
        if not record.slice_key.single_slice_keys:
            for item in record.metric_keys_and_values:
                if item.key.name == 'recall' and not item.key.is_diff:
                    expected = recalls[item.key.model_name]
                    assert item.value.double_value.value == pytest.approx(expected)


def test_result_has_intervals_of_the_level_that_is_judged(
    tiny: Tiny, exported: Exported, tmp_path: pathlib.Path
) -> None:
    model = model_of(exported, tmp_path / 'model')
    accuracy = {}
    for level in (None, 0.9):
        bounds = {'min_accuracy': 0.7, 'confidence': level}
        blessed, found = run(tiny, tmp_path / str(level), model, model, **bounds)
        low, high = found.intervals['binary_accuracy']
        value = found.metrics['binary_accuracy']
        assert value is not None
        # On 60 texts, the interval of about 0.8 is 0.2 wide.
        assert low < 0.72
        assert 0.75 < value < high
        assert found.confidence == level or (level is None and found.confidence == 0.95)
        assert found.judged_by == ('value' if level is None else 'interval')
        assert blessed is (level is None or low >= 0.7)
        assert found.changes['binary_accuracy'].verdict == 'no difference'
        assert set(found.slice_intervals) == set(found.slices)
        accuracy[level] = high - low
    assert accuracy[0.9] < accuracy[None]
