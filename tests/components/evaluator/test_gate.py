"""Tests of the gate: what is blessed, and that the displayed checks agree with it."""

from __future__ import annotations

import math
import pathlib
from typing import Any, NamedTuple

import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from tfx.types import standard_artifacts

from components.common import features
from components.evaluator.eval_config import resolve_eval_config, resolve_safeguards, tfma_part
from components.evaluator.evaluation import Evaluation, read_evaluation
from components.evaluator.executor import bless
from components.evaluator.gate import MetricValues, judge
from components.evaluator.metric_table import ACCURACY, AUC, TEST_OVERLAP
from components.evaluator.metrics import metric_key
from components.evaluator.settings import GateSettings

_NAN = math.nan
_SPECIAL = [None, _NAN, math.inf, -math.inf, -0.0, 0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.5, -1.0]


class Measured(NamedTuple):
    """Accuracy and AUC of a model on a slice, None where they are missing."""

    accuracy: float | None
    auc: float | None


class Case(NamedTuple):
    """The bounds, and the metrics of each model by number of words, empty for all texts.

    `overlap` is the percentage of the texts of test that are in train or val, too, None where it
    is missing.
    """

    gate: GateSettings
    candidate: dict[str, Measured]
    baseline: dict[str, Measured] | None
    overlap: float | None = 0.0


def _metrics_of(measured: Measured, baseline: Measured | None) -> MetricValues:
    """Return the metrics of a slice in TFMA's form."""
    found = {}
    for name, value, before in zip((ACCURACY, AUC), measured, baseline or (None, None)):
        key = metric_key(name, '' if baseline is None else tfma.CANDIDATE_KEY)
        if value is not None:
            found[key] = value
            if baseline is not None:
                found[key.make_diff_key()] = value - (_NAN if before is None else before)
        if before is not None:
            found[metric_key(name, tfma.BASELINE_KEY)] = before
    return found


def must_be_blessed(case: Case) -> bool:
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
    if gate.max_test_overlap_percent < 100:
        good &= case.overlap is not None and 0 <= case.overlap <= gate.max_test_overlap_percent
    return good


@st.composite
def cases(draw: st.DrawFn) -> Case:
    slices = draw(
        st.dictionaries(st.sampled_from(features.LENGTH_BUCKETS), st.floats(0.01, 0.95), max_size=2)
    )
    gate = GateSettings(
        min_accuracy=draw(st.sampled_from([0.1, 0.8]) | st.floats(1e-6, 0.95)),
        max_accuracy_drop=draw(st.sampled_from([0, 0.01, 0.02]) | st.floats(0, 0.99)),
        min_auc=draw(st.just(0.7) | st.floats(0.51, 0.95)),
        min_baseline_auc=draw(st.sampled_from([0, 0.5]) | st.floats(0, 1)),
        slices=slices,
        max_test_overlap_percent=draw(st.sampled_from([0, 5, 100]) | st.floats(0, 100)),
    )
    # Near each bound, at it, and anywhere.
    bounds = [gate.min_accuracy, gate.min_auc, gate.min_baseline_auc, *slices.values()]
    ties = [v for b in bounds for v in (b, math.nextafter(b, 0), math.nextafter(b, 2), b + 5e-10)]
    # Most values are good; otherwise hardly any candidate would be blessed.
    others = st.one_of(st.sampled_from(_SPECIAL), st.sampled_from(ties), st.floats(0, 1))
    value = st.integers(1, 20).flatmap(lambda n: others if n == 13 else st.floats(0.95, 1))

    def model() -> dict[str, Measured]:
        wheres = ['', *slices, draw(st.sampled_from(features.LENGTH_BUCKETS))]
        absent = draw(st.sampled_from([None] * 9 + wheres))
        return {w: Measured(draw(value), draw(value)) for w in wheres if w != absent}

    most = gate.max_test_overlap_percent
    overlaps = st.sampled_from([None, _NAN, most, math.nextafter(most, 101), -1.0, 100.0])
    overlap = draw(st.floats(0, most) | st.just(0.0) | overlaps)
    candidate, baseline = model(), draw(st.none() | st.just(0))
    if baseline is None:
        return Case(gate, candidate, None, overlap)
    of_baseline = model()
    accuracy = candidate.get('', Measured(None, None)).accuracy
    if accuracy is not None and draw(st.booleans()):
        # The largest allowed drop, or a rounding error more or less.
        tie = accuracy + gate.max_accuracy_drop
        tie = draw(st.sampled_from([tie, math.nextafter(tie, 2), tie + 1e-9, tie + 2e-9]))
        of_baseline[''] = Measured(tie, of_baseline.get('', Measured(None, 0.9)).auc)
    return Case(gate, candidate, of_baseline, overlap)


def metrics_by_slice(case: Case) -> dict[Any, MetricValues]:
    """Return the metrics of a case in TFMA's form."""
    metrics: dict[Any, MetricValues] = {}
    for name, of_model in case.candidate.items():
        before = None if case.baseline is None else case.baseline.get(name, Measured(None, None))
        where = ((features.LENGTH_KEY, name),) if name else ()
        found = _metrics_of(of_model, before)
        if name:
            # A missing metric of a slice with examples is NaN: TFMA would take a metric that is
            # missing in one slice as missing in all.
            every = _metrics_of(_GOOD, None if before is None else _GOOD)
            found = dict.fromkeys(every, _NAN) | found
        if not name and case.overlap is not None:
            model = '' if case.baseline is None else tfma.CANDIDATE_KEY
            found[metric_key(TEST_OVERLAP, model)] = case.overlap
        metrics[where] = found
    return metrics


def stock_verdict(case: Case) -> bool:
    """Judge as TFX's executor does: by TFMA alone, and by the safeguards after it."""
    has_baseline, metrics = case.baseline is not None, metrics_by_slice(case)
    config = tfma_part(resolve_eval_config(case.gate, has_baseline=has_baseline))
    safeguards = resolve_safeguards(case.gate, has_baseline=has_baseline)
    overall = {where: found for where, found in metrics.items() if not where}
    return judge(metrics, config).validation_ok and judge(overall, safeguards).validation_ok


def write(case: Case, folder: pathlib.Path) -> tuple[bool, Evaluation]:
    """Judge, bless and write as the executor does; return the verdict and what is read."""
    config = resolve_eval_config(case.gate, has_baseline=case.baseline is not None)
    metrics = metrics_by_slice(case)
    run = config_pb2.EvalRun(eval_config=config)
    (folder / 'eval_config.json').write_text(json_format.MessageToJson(run))
    with tf.io.TFRecordWriter(str(folder / 'metrics-00000-of-00001.tfrecord')) as records:
        for of_slice in metrics.items():
            records.write(writer.convert_slice_metrics_to_proto(of_slice, None).SerializeToString())
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


OVERLAP = 'percent of test in train or val'
_GATE = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01)
_GOOD = Measured(0.9, 0.95)


def case(
    accuracy: float | None = 0.9,
    baseline: float | None = None,
    *,
    auc: float | None = 0.95,
    baseline_auc: float | None = 0.95,
    measured: dict[str, float | None] | None = None,
    overlap: float | None = 0.0,
    **gate: Any,
) -> Case:
    """Return a case; `measured` are accuracies of slices, and the baseline has 1.0 on them."""
    bounds = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **gate}
    slices = {name: Measured(value, auc) for name, value in (measured or {}).items()}
    before = dict.fromkeys(slices, Measured(1.0, baseline_auc))
    return Case(
        GateSettings(**bounds),
        {'': Measured(accuracy, auc), **slices},
        None if baseline is None else {'': Measured(baseline, baseline_auc), **before},
        overlap,
    )


# Correct texts of candidate and baseline, number of texts, and the drop, which is the maximum.
_DROPS = [
    (50, 75, 100, 0.25),
    (88, 90, 100, 0.02),
    (21_500, 21_750, 25_000, 0.01),
    (9, 10, 10, 0.1),
]
_LOWER = {'min_accuracy': 0.1}
TABLE = [
    # Accuracy without a baseline.
    *((case(value), True) for value in (0.9, 0.8)),
    *((case(value), False) for value in (math.nextafter(0.8, 0), 0.5, 0.0, _NAN, None)),
    # Accuracy against a baseline; the last but one is no worse, but below the bound.
    *((case(*pair), True) for pair in ((0.95, 0.9), (0.9, 0.9), (0.89, 0.9))),
    *((case(*pair), False) for pair in ((0.8799, 0.9), (0.81, 0.9), (0.79, 0.79), (0.79, 0.5))),
    *((case(*pair), False) for pair in ((_NAN, 0.9), (None, 0.9), (0.9, _NAN))),
    *((case(n / of, b / of, max_accuracy_drop=d, **_LOWER), True) for n, b, of, d in _DROPS),
    *((case((n - 1) / of, b / of, max_accuracy_drop=d, **_LOWER), False) for n, b, of, d in _DROPS),
    # Slices, with and without a baseline, whose accuracy on a slice has no influence.
    *(
        (case(accuracy, baseline, measured=measured, slices={'1-10': 0.7}), blessed)
        for baseline in (None, 0.8)
        for accuracy, measured, blessed in (
            (0.8, {'1-10': 0.7}, True),
            (0.9, {'1-10': 0.8, '11-50': 0.1}, True),
            (0.9, {'1-10': 0.69}, False),
            (0.9, {'1-10': _NAN}, False),
            (0.9, {'1-10': None}, False),
            (0.9, {}, False),
            (0.9, {'11-50': 0.9}, False),
            (0.79, {'1-10': 0.9}, False),
        )
    ),
    *((case(0.8, base, measured={'1-10': 0.1, '401+': _NAN}), True) for base in (None, 0.8)),
    # Slices without the whole test split, and nothing at all.
    (Case(_GATE, {'1-10': _GOOD}, None), False),
    (Case(_GATE, {'1-10': _GOOD}, {'1-10': _GOOD}), False),
    (Case(_GATE, {}, None), False),
    (Case(_GATE, {}, {}), False),
    # AUC of the candidate.
    *(
        (case(0.95, baseline, auc=auc), auc in (1.0, 0.7))
        for baseline in (None, 0.8)
        for auc in (1.0, 0.7, math.nextafter(0.7, 0), 0.5, 0.0, _NAN, None, math.inf, 1.5)
    ),
    # AUC of the baseline.
    *(
        (case(0.95, 0.1, baseline_auc=auc, min_baseline_auc=lowest), blessed)
        for auc, lowest, blessed in (
            (0.9, 0.5, True),
            (0.5, 0.5, True),
            (math.nextafter(0.5, 0), 0.5, False),
            (0.05, 0.5, False),
            (0.05, 0.0, True),
            (0.9, 0.95, False),
            (_NAN, 0.0, False),
            (None, 0.0, False),
            (math.inf, 0.5, False),
        )
    ),
    (case(0.95, min_baseline_auc=0.95), True),
    # Texts of test that are in train or val, too, in percent.
    *(
        (case(0.95, baseline, overlap=overlap, max_test_overlap_percent=most), blessed)
        for baseline in (None, 0.9)
        for overlap, most, blessed in (
            (0.0, 5, True),
            (4.9, 5, True),
            (5.0, 5, True),
            (100 * 123 / 25_000, 0.492, True),
            (math.nextafter(5, 6), 5, False),
            (100.0, 5, False),
            (_NAN, 5, False),
            (None, 5, False),
            (-1.0, 5, False),
            (math.inf, 5, False),
            (0.0, 0, True),
            (0.004, 0, False),
            (None, 0, False),
            (100.0, 99.9, False),
            (100.0, 100, True),
            (_NAN, 100, True),
            (None, 100, True),
        )
    ),
    (case(0.5, overlap=0.0), False),
]


@pytest.mark.parametrize(('case', 'blessed'), TABLE)
def test_verdict_and_checks_match_the_truth_table(
    case: Case, blessed: bool, tmp_path: pathlib.Path
) -> None:
    found, evaluation = write(case, tmp_path)
    assert found is blessed
    assert all(check.passed for check in evaluation.checks()) is blessed
    assert must_be_blessed(case) is blessed
    assert stock_verdict(case) is blessed


@pytest.mark.parametrize(
    ('failing', 'label', 'value', 'bound', 'hint'),
    [
        (case(auc=0.5), 'AUC', 0.5, '>= 0.7000', ''),
        (case(0.9, 0.1, baseline_auc=0.04), 'AUC of the baseline', 0.04, '>= 0.5000', 'swapped'),
        (case(0.85, 0.9), 'accuracy', 0.85, '>= 0.8800 (baseline)', ''),
        (case(slices={'1-10': 0.7}), 'accuracy, 1-10 words', None, '>= 0.7000', ''),
        (case(overlap=93.0), OVERLAP, 93.0, '<= 5', 'remove the texts from test'),
        (case(overlap=None), OVERLAP, None, '<= 5', 'did not count these texts'),
    ],
)
def test_failed_check_has_value_bound_and_hint(
    failing: Case, label: str, value: float | None, bound: str, hint: str, tmp_path: pathlib.Path
) -> None:
    _, evaluation = write(failing, tmp_path)
    (failed,) = (check for check in evaluation.checks() if not check.passed)
    assert (failed.label, failed.value, failed.bound) == (label, value, bound)
    assert hint in failed.hint
    assert bool(failed.hint) == bool(hint)


def test_verdict_matches_the_plain_rule_when_metrics_and_bounds_are_random(
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
        expected = must_be_blessed(case)
        seen.append(expected)
        assert blessed is expected, case
        # The displayed checks agree with the verdict.
        assert all(check.passed for check in found.checks()) is expected, (case, found.checks())

    agrees()
    # Hypothesis also draws constants of loaded modules, so the shares depend on the other tests.
    assert 20 < sum(seen) < len(seen) - 20, sum(seen)


def test_validation_result_has_the_reason_when_the_baseline_ranks_worse_than_chance() -> None:
    config = resolve_eval_config(_GATE, has_baseline=True)
    metrics = _metrics_of(Measured(0.9, 0.95), Measured(0.1, 0.04))
    metrics[metric_key(TEST_OVERLAP, tfma.CANDIDATE_KEY)] = 5.0
    result = judge({(): metrics}, config)
    (of_slice,) = result.metric_validations_per_slice
    (failure,) = of_slice.failures
    assert failure.metric_key.name == AUC
    assert failure.metric_key.model_name == tfma.BASELINE_KEY
    assert failure.metric_value.double_value.value == 0.04
    assert failure.metric_threshold.value_threshold.lower_bound.value == 0.5
    assert 'labels may be swapped' in failure.message


@pytest.mark.parametrize('overlap', [5.1, None])
@pytest.mark.parametrize('has_baseline', [False, True])
def test_validation_result_has_the_reason_when_training_has_the_texts_of_test(
    overlap: float | None, has_baseline: bool
) -> None:
    config = resolve_eval_config(_GATE, has_baseline=has_baseline)
    found = metrics_by_slice(case(0.95, 0.9 if has_baseline else None, overlap=overlap))
    (of_slice,) = judge(found, config).metric_validations_per_slice
    (failure,) = of_slice.failures
    assert failure.metric_key.name == TEST_OVERLAP
    assert failure.metric_value.double_value.value == pytest.approx(overlap or _NAN, nan_ok=True)
    assert failure.metric_threshold.value_threshold.upper_bound.value == 5
    assert 'remove the texts' in failure.message


@pytest.mark.parametrize('has_baseline', [False, True])
def test_nothing_is_blessed_when_the_configuration_has_no_bounds(has_baseline: bool) -> None:
    config = resolve_eval_config(_GATE, has_baseline=has_baseline)
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            del metric.per_slice_thresholds[:]
    perfect = Measured(1.0, 1.0)
    result = judge({(): _metrics_of(perfect, perfect if has_baseline else None)}, config)
    assert not result.validation_ok
    assert result.missing_thresholds
    assert not result.rubber_stamp
