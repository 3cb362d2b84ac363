"""Tests of the gate: what is blessed, and that the displayed checks agree with it."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from hypothesis import HealthCheck, example, given, settings

from components.evaluator.bounds import Bound
from components.evaluator.estimation.estimates import Estimate, SliceEstimates
from components.evaluator.gate import is_blessed, judge
from components.evaluator.metric_table import ACCURACY, AUC, METRICS, TEST_OVERLAP, Check
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import parse_slice
from components.evaluator.tfma.files import to_validation
from tests.components.evaluator.judged import (
    NAN,
    Case,
    Values,
    cases,
    measured,
    must_be_blessed,
    stock_verdict,
    write,
)

OVERLAP = 'percent of test in train or val'
_GATE = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01)
_GOOD = measured(0.9, 0.95)
_DROP_OF_SLICE = GateSettings(
    min_accuracy=0.8, max_accuracy_drop=0.01, slices={'1-10': {ACCURACY: Bound(max_drop=0.5)}}
)


def case(
    accuracy: float | None = 0.9,
    baseline: float | None = None,
    *,
    auc: float | None = 0.95,
    baseline_auc: float | None = 0.95,
    measured: dict[str, float | None] | None = None,
    overlap: float | None = 0.0,
    examples: Mapping[str, int] = {},
    **gate: Any,
) -> Case:
    """Return a case; `measured` are accuracies of slices, and the baseline has 1.0 on them."""
    bounds = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.02, **gate}
    slices: dict[str, Values] = {
        name: {ACCURACY: value, AUC: auc} for name, value in (measured or {}).items()
    }
    before: dict[str, Values] = {name: {ACCURACY: 1.0, AUC: baseline_auc} for name in slices}
    whole: Values = {ACCURACY: baseline, AUC: baseline_auc}
    return Case(
        GateSettings.model_validate(bounds),
        {'': {ACCURACY: accuracy, AUC: auc}, **slices},
        None if baseline is None else {'': whole, **before},
        overlap,
        examples,
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
    *((case(value), False) for value in (math.nextafter(0.8, 0), 0.5, 0.0, NAN, None)),
    # Accuracy against a baseline; the last but one is no worse, but below the bound.
    *((case(*pair), True) for pair in ((0.95, 0.9), (0.9, 0.9), (0.89, 0.9))),
    *((case(*pair), False) for pair in ((0.8799, 0.9), (0.81, 0.9), (0.79, 0.79), (0.79, 0.5))),
    *((case(*pair), False) for pair in ((NAN, 0.9), (None, 0.9), (0.9, NAN))),
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
            (0.9, {'1-10': NAN}, False),
            (0.9, {'1-10': None}, False),
            (0.9, {}, False),
            (0.9, {'11-50': 0.9}, False),
            (0.79, {'1-10': 0.9}, False),
        )
    ),
    *((case(0.8, base, measured={'1-10': 0.1, '401+': NAN}), True) for base in (None, 0.8)),
    # Slices without the whole test split, and nothing at all.
    (Case(_GATE, {'1-10': _GOOD}, None), False),
    (Case(_GATE, {'1-10': _GOOD}, {'1-10': _GOOD}), False),
    (Case(_GATE, {}, None), False),
    (Case(_GATE, {}, {}), False),
    # AUC of the candidate.
    *(
        (case(0.95, baseline, auc=auc), auc in (1.0, 0.7))
        for baseline in (None, 0.8)
        for auc in (1.0, 0.7, math.nextafter(0.7, 0), 0.5, 0.0, NAN, None, math.inf, 1.5)
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
            (NAN, 0.0, False),
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
            (NAN, 5, False),
            (None, 5, False),
            (-1.0, 5, False),
            (math.inf, 5, False),
            (0.0, 0, True),
            (0.004, 0, False),
            (None, 0, False),
            (100.0, 99.9, False),
            (100.0, 100, True),
            (NAN, 100, True),
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
    assert all(check.passed for check in evaluation.thresholds) is blessed
    assert must_be_blessed(case) is blessed
    assert stock_verdict(case) is blessed


@pytest.mark.parametrize(
    ('failing', 'label', 'value', 'bound', 'hint'),
    [
        (case(auc=0.5), 'AUC', 0.5, '>= 0.7000', ''),
        (case(0.9, 0.1, baseline_auc=0.04), 'AUC of the baseline', 0.04, '>= 0.5000', 'swapped'),
        (case(0.85, 0.9), 'accuracy', 0.85, '>= 0.8800 (baseline)', ''),
        (
            case(slices={'1-10': 0.7}),
            'accuracy, 1-10 words',
            None,
            '>= 0.7000',
            'no text of test is in this slice',
        ),
        (case(overlap=93.0), OVERLAP, 93.0, '<= 5', 'remove the texts from test'),
        (case(overlap=None), OVERLAP, None, '<= 5', 'did not count these texts'),
    ],
)
def test_failed_check_has_value_bound_and_hint(
    failing: Case, label: str, value: float | None, bound: str, hint: str, tmp_path: pathlib.Path
) -> None:
    _, evaluation = write(failing, tmp_path)
    (failed,) = (check for check in evaluation.thresholds if not check.passed)
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
    @example(Case(_GATE, {'': _GOOD}, {'': measured(0.1, 0.05)}))
    @example(Case(_GATE, {'': measured(0.9, 0.5)}, None))
    @example(Case(_GATE, {'': _GOOD}, {}))
    @example(Case(_GATE, {}, {'': _GOOD}))
    @example(Case(_GATE, {'': measured(0.89, 0.95)}, {'': _GOOD}))
    @example(Case(_GATE, {'': measured(0.8, 0.7)}, {'': measured(0.8, 0.5)}))  # at each bound
    @example(Case(_GATE, {'': measured(0.8, 0.7)}, {'': measured(0.81, 0.5)}))
    @example(Case(_GATE, {'': measured(0.8, 0.7)}, {'': measured(0.81 + 5e-10, 0.5)}))
    @example(Case(_DROP_OF_SLICE, {'': _GOOD}, None))
    def agrees(case: Case) -> None:
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        blessed, found = write(case, folder)
        expected = must_be_blessed(case)
        seen.append(expected)
        assert blessed is expected, case
        assert stock_verdict(case) is expected, case
        # The displayed checks agree with the verdict.
        assert all(check.passed for check in found.thresholds) is expected, (case, found.thresholds)

    agrees()
    # Hypothesis also draws constants of loaded modules, so the shares depend on the other tests.
    assert 20 < sum(seen) < len(seen) - 20, sum(seen)


def test_validation_result_has_the_reason_when_the_baseline_ranks_worse_than_chance() -> None:
    found = case(0.9, 0.1, baseline_auc=0.04, overlap=5.0)
    result = to_validation(found.judge(), found.slices(), has_baseline=True)
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
    found = case(0.95, 0.9 if has_baseline else None, overlap=overlap)
    result = to_validation(found.judge(), found.slices(), has_baseline=has_baseline)
    (of_slice,) = result.metric_validations_per_slice
    (failure,) = of_slice.failures
    assert failure.metric_key.name == TEST_OVERLAP
    assert failure.metric_value.double_value.value == pytest.approx(overlap or NAN, nan_ok=True)
    assert failure.metric_threshold.value_threshold.upper_bound.value == 5
    hint = 'remove the texts' if overlap else 'did not count these texts'
    assert hint in failure.message


def test_validation_result_names_slice_and_change_when_they_fail() -> None:
    slices = {'product=tea': {'auc': {'max_drop': 0.1}}, 'product=cup, length=1-10': 0.5}
    found = case(
        0.95, 0.9, auc=0.8, baseline_auc=0.95, measured={'product=tea': 0.9}, slices=slices
    )
    result = to_validation(found.judge(), found.slices(), has_baseline=True)
    (of_slice,) = result.metric_validations_per_slice
    (key,) = of_slice.slice_key.single_slice_keys
    assert (key.column, key.bytes_value) == ('product', b'tea')
    (failure,) = of_slice.failures
    assert failure.metric_key.is_diff
    assert failure.metric_value.double_value.value == pytest.approx(-0.15)
    assert failure.metric_threshold.change_threshold.absolute.value == -0.1
    (missing,) = result.missing_slices
    assert dict(missing.feature_values) == {'product': 'cup', 'length': '1-10'}


def test_nothing_is_blessed_when_there_are_no_bounds() -> None:
    assert not is_blessed([])
    result = to_validation([], {}, has_baseline=False)
    assert not result.validation_ok
    assert not result.rubber_stamp


# Each kind of bound: the value at the bound, a worse one, and whether it is the change.
_AT_BOUND = {
    'min': (0.6, math.nextafter(0.6, 0), False),
    'max': (0.6, math.nextafter(0.6, 1), False),
    'max_drop': (0.4, 0.4 - 1e-8, True),
    'max_rise': (0.6, 0.6 + 1e-8, True),
}


@pytest.mark.parametrize('where', ['', 'product=tea'])
@pytest.mark.parametrize(
    ('metric', 'kind'),
    [
        (metric.name, kind)
        for metric in METRICS
        for kind in metric.bound_kinds
        if (metric.name, kind) not in {(ACCURACY, 'min'), (ACCURACY, 'max_drop'), (AUC, 'min')}
    ],
)
def test_bound_is_met_up_to_its_limit(metric: str, kind: str, where: str) -> None:
    good, bad, is_change = _AT_BOUND[kind]
    bounds = {metric: {kind: 0.1 if is_change else 0.6}}
    gate = _GATE.model_copy(
        update={'slices': {where: {metric: Bound(**bounds[metric])}}}
        if where
        else {'bounds': {metric: Bound(**bounds[metric])}}
    )
    for value, passed in ((good, True), (bad, False), (None, False), (NAN, False)):
        values: dict[str, Values] = {'': dict(_GOOD)}
        values.setdefault(where, {})[metric] = value
        if metric == AUC and not where:
            gate = gate.model_copy(update={'min_auc': 0.3, 'min_baseline_auc': 0.0})
        base: dict[str, Values] = {'': dict(_GOOD)}
        base.setdefault(where, {})[metric] = 0.5
        found = Case(gate, values, base if is_change else None)
        (ruling,) = (
            r
            for r in found.judge()
            if (r.check.metric, r.check.slice, r.kind) == (metric, where, kind)
        )
        assert ruling.check.passed is passed, value
        assert stock_verdict(found) is is_blessed(found.judge())


def test_one_slice_fails_when_it_collapses_and_the_whole_improves() -> None:
    accuracies = {'product=tea': 0.95, 'product=cup': 0.4, 'product=pan': NAN}
    found = case(0.95, 0.9, measured=accuracies, slices={'product': {'accuracy': {'min': 0.75}}})
    failed = {r.check.slice: r.check.value for r in found.judge() if not r.check.passed}
    assert failed == {'product=cup': 0.4, 'product=pan': None}
    assert len(found.judge()) == 3 + 3 + 2  # the whole split, the values, the safeguards


@pytest.mark.parametrize('pattern', ['product=tae', 'length=1-10, product=tae', 'product, stars'])
def test_model_is_not_blessed_when_no_text_is_in_a_bounded_slice(pattern: str) -> None:
    found = case(0.95, measured={'product=tea': 0.9}, slices={pattern: {'loss': {'max': 0.4}}})
    (failed,) = (ruling.check for ruling in found.judge() if not ruling.check.passed)
    assert failed.slice == parse_slice(pattern).name
    assert 'no text of test is in this slice' in failed.hint
    assert is_blessed(case(0.95, slices={pattern: {}}).judge())


@pytest.mark.parametrize(
    ('examples', 'small_slices', 'accuracy', 'blessed'),
    [
        (30, 'report', 0.4, False),
        (29, 'report', 0.4, True),
        (1, 'report', None, True),
        (29, 'refuse', 0.9, False),
        (30, 'refuse', 0.9, True),
        (0, 'report', None, False),
    ],
)
def test_bound_of_a_small_slice_is_skipped_or_refused(
    examples: int, small_slices: str, accuracy: float | None, blessed: bool
) -> None:
    found = case(
        measured={'product=tea': accuracy},
        examples={'product=tea': examples},
        slices={'product': 0.75},
        small_slices=small_slices,
    )
    (check,) = (r.check for r in found.judge() if r.check.slice)
    assert is_blessed(found.judge()) is blessed
    assert check.passed is blessed
    reason = f'{examples} text{"s" * (examples != 1)}, fewer than gate.min_slice_examples (30)'
    is_small = 0 < examples < 30
    assert check.skipped == (reason if is_small and small_slices == 'report' else '')
    assert (reason in check.hint) == (is_small and small_slices == 'refuse')


# The intervals of a case are 0.02 wide on each side.
@pytest.mark.parametrize(
    ('metric', 'bound', 'value', 'baseline', 'passed', 'judged'),
    [
        ('recall', {'min': 0.7}, 0.73, None, True, 0.71),
        ('recall', {'min': 0.7}, 0.71, None, False, 0.69),
        ('recall', {'min': 0.7}, 0.69, None, False, 0.67),
        ('loss', {'max': 0.4}, 0.37, None, True, 0.39),
        ('loss', {'max': 0.4}, 0.39, None, False, 0.41),
        ('recall', {'max_drop': 0.03}, 0.8, 0.805, True, 0.78),
        ('recall', {'max_drop': 0.03}, 0.8, 0.82, False, 0.78),
        ('loss', {'max_rise': 0.03}, 0.3, 0.295, True, 0.32),
        ('loss', {'max_rise': 0.03}, 0.3, 0.28, False, 0.32),
        ('calibration', {'max': 1.1}, 1.07, None, True, 1.09),
        ('calibration', {'max': 1.1}, 1.09, None, False, 1.11),
    ],
)
def test_worse_end_of_the_interval_is_judged_when_confidence_is_set(
    metric: str,
    bound: dict[str, float],
    value: float,
    baseline: float | None,
    passed: bool,
    judged: float,
) -> None:
    def check_of(gate: GateSettings) -> Check:
        before = None if baseline is None else {'': _GOOD | {metric: baseline}}
        rulings = Case(gate, {'': _GOOD | {metric: value}}, before).judge()
        (check,) = (ruling.check for ruling in rulings if ruling.check.metric == metric)
        return check

    gate = _GATE.model_copy(update={'bounds': {metric: Bound(**bound)}})
    by_value = check_of(gate)
    by_interval = check_of(gate.model_copy(update={'confidence': 0.95}))
    assert (by_interval.passed, by_interval.value) == (passed, value)
    assert by_interval.judged == pytest.approx(judged)
    assert by_value.judged is None
    assert by_interval.bound == by_value.bound
    assert ('worse end of its interval' in by_interval.hint) == (by_value.passed and not passed)


def test_safeguards_are_judged_by_value_when_confidence_is_set() -> None:
    found = case(0.95, 0.9, baseline_auc=0.5, overlap=5.0, confidence=0.95)
    assert all(r.check.passed and r.check.judged is None for r in found.judge()[-2:])


def test_bound_is_not_met_when_there_is_no_interval() -> None:
    gate = _GATE.model_copy(update={'confidence': 0.9, 'bounds': {'loss': Bound(max=0.4)}})
    whole = SliceEstimates(9, {'loss': Estimate(0.1, None, None)}, None, None)
    rulings = judge(gate, {'': whole}, {}, test_overlap=0.0)
    (check,) = (ruling.check for ruling in rulings if ruling.check.metric == 'loss')
    assert (check.passed, check.value, check.judged) == (False, 0.1, None)
