"""Tests that verdict and displayed checks agree with a second implementation of the rule."""

from __future__ import annotations

import math
import pathlib
from typing import Any, NamedTuple

import tensorflow as tf
from google.protobuf import json_format
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from tfx.types import standard_artifacts

from components.common import features
from components.common.settings import GateSettings
from components.evaluator.eval_config import resolve_eval_config
from components.evaluator.evaluation import Evaluation, read_evaluation
from components.evaluator.executor import bless
from components.evaluator.gate import judge
from components.evaluator.metric_table import ACCURACY, AUC
from tests.components.evaluator.test_gate import metrics_of

_NAN = math.nan
_SPECIAL = [None, _NAN, math.inf, -math.inf, -0.0, 0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.5, -1.0]


class Measured(NamedTuple):
    """Accuracy and AUC of a model on a slice, None where they are missing."""

    accuracy: float | None
    auc: float | None


class Case(NamedTuple):
    """The bounds, and the metrics of each model by number of words, empty for all texts."""

    gate: GateSettings
    candidate: dict[str, Measured]
    baseline: dict[str, Measured] | None


def plain_rule(case: Case) -> bool:
    """Return whether the candidate must be blessed."""
    gate, nothing = case.gate, Measured(None, None)

    def value(of_model: dict[str, Measured], where: str, metric: str) -> float:
        found = getattr(of_model.get(where, nothing), metric)
        return _NAN if found is None else float(found)

    accuracy = value(case.candidate, '', 'accuracy')
    good = gate.min_accuracy <= accuracy <= 1
    good &= gate.min_auc <= value(case.candidate, '', 'auc') <= 1
    for where, bound in gate.slices.items():
        good &= bound <= value(case.candidate, where, 'accuracy') <= 1
    if case.baseline is not None:
        drop = value(case.baseline, '', 'accuracy') - accuracy
        good &= drop <= gate.max_accuracy_drop + 1e-9
        good &= gate.min_baseline_auc <= value(case.baseline, '', 'auc') <= 1
    return good


@st.composite
def cases(draw: st.DrawFn) -> Case:
    slices = draw(
        st.dictionaries(
            st.sampled_from(features.LENGTH_BUCKETS), st.floats(0.01, 0.95), max_size=2
        )
    )
    gate = GateSettings(
        min_accuracy=draw(st.sampled_from([0.1, 0.8]) | st.floats(1e-6, 0.95)),
        max_accuracy_drop=draw(st.sampled_from([0, 0.01, 0.02]) | st.floats(0, 0.99)),
        min_auc=draw(st.just(0.7) | st.floats(0.51, 0.95)),
        min_baseline_auc=draw(st.sampled_from([0, 0.5]) | st.floats(0, 1)),
        slices=slices,
    )
    # Near each bound, at it, and anywhere.
    bounds = [gate.min_accuracy, gate.min_auc, gate.min_baseline_auc, *slices.values()]
    ties = [v for b in bounds for v in (b, math.nextafter(b, 0), math.nextafter(b, 2), b + 5e-10)]
    # Most values are good, otherwise hardly any candidate would be blessed.
    others = st.one_of(st.sampled_from(_SPECIAL), st.sampled_from(ties), st.floats(0, 1))
    value = st.integers(1, 20).flatmap(lambda n: others if n == 13 else st.floats(0.95, 1))

    def model() -> dict[str, Measured]:
        wheres = ['', *slices, draw(st.sampled_from(features.LENGTH_BUCKETS))]
        absent = draw(st.sampled_from([None] * 9 + wheres))
        return {w: Measured(draw(value), draw(value)) for w in wheres if w != absent}

    candidate, baseline = model(), draw(st.none() | st.just(0))
    if baseline is None:
        return Case(gate, candidate, None)
    of_baseline = model()
    accuracy = candidate.get('', Measured(None, None)).accuracy
    if accuracy is not None and draw(st.booleans()):
        # The largest allowed drop, or a rounding error more or less.
        tie = accuracy + gate.max_accuracy_drop
        tie = draw(st.sampled_from([tie, math.nextafter(tie, 2), tie + 1e-9, tie + 2e-9]))
        of_baseline[''] = Measured(tie, of_baseline.get('', Measured(None, 0.9)).auc)
    return Case(gate, candidate, of_baseline)


def write(case: Case, folder: pathlib.Path) -> tuple[bool, Evaluation]:
    """Judge, bless and write as the executor does; return the verdict and what is read."""
    config = resolve_eval_config(case.gate, has_baseline=case.baseline is not None)
    metrics: dict[Any, Any] = {}
    for name, of_model in case.candidate.items():
        before = None if case.baseline is None else case.baseline.get(name, Measured(None, None))
        where = ((features.LENGTH_KEY, name),) if name else ()
        found = metrics_of(_named(of_model), None if before is None else _named(before))
        if name:
            # A missing metric of a slice with examples is NaN: TFMA would take a metric that is
            # missing in one slice as missing in all.
            all_known = metrics_of(_named(_GOOD), None if before is None else _named(_GOOD))
            found = dict.fromkeys(all_known, _NAN) | found
        metrics[where] = found
    run = config_pb2.EvalRun(eval_config=config)
    (folder / 'eval_config.json').write_text(json_format.MessageToJson(run))
    with tf.io.TFRecordWriter(str(folder / 'metrics-00000-of-00001.tfrecord')) as records:
        for of_slice in metrics.items():
            records.write(
                writer.convert_slice_metrics_to_proto(of_slice, None).SerializeToString()
            )
    with tf.io.TFRecordWriter(str(folder / 'validations.tfrecord')) as records:
        records.write(judge(metrics, config).SerializeToString())
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(folder / 'blessing')
    candidate = standard_artifacts.Model()
    bless(blessing, str(folder), candidate, candidate if case.baseline is not None else None)
    (file,) = (folder / 'blessing').iterdir()
    blessed = file.name == 'BLESSED'
    assert blessing.get_int_custom_property('blessed') == blessed
    return blessed, read_evaluation(str(folder))


def _named(measured: Measured) -> dict[str, float | None]:
    return {ACCURACY: measured.accuracy, AUC: measured.auc}


_GATE = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01)
_GOOD = Measured(0.9, 0.95)


def test_verdict_is_that_of_the_plain_rule_when_metrics_and_bounds_are_random(
    tmp_path: pathlib.Path,
) -> None:
    seen: list[bool] = []

    @settings(
        max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(cases())
    @example(Case(_GATE, {'': _GOOD}, {'': Measured(0.1, 0.05)}))
    @example(Case(_GATE, {'': Measured(0.9, 0.5)}, None))
    @example(Case(_GATE, {'': _GOOD}, {}))
    @example(Case(_GATE, {}, {'': _GOOD}))
    @example(Case(_GATE, {'': Measured(0.89, 0.95)}, {'': _GOOD}))
    @example(Case(_GATE, {'': Measured(0.8, 0.7)}, {'': Measured(0.8, 0.5)}))  # at each bound
    @example(Case(_GATE, {'': Measured(0.8, 0.7)}, {'': Measured(0.81, 0.5)}))
    @example(Case(_GATE, {'': Measured(0.8, 0.7)}, {'': Measured(0.81 + 5e-10, 0.5)}))
    def agrees(case: Case) -> None:
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        blessed, found = write(case, folder)
        expected = plain_rule(case)
        seen.append(expected)
        assert blessed is expected, case
        # The displayed checks agree with the verdict.
        assert all(check.passed for check in found.checks()) is expected, (case, found.checks())

    agrees()
    assert 50 < sum(seen) < len(seen) - 50, sum(seen)
