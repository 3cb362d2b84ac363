"""Tests of the gate: what is blessed, and that the displayed checks agree with it."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from tfx.types import standard_artifacts

from components.common import features
from components.evaluator.bounds import Bound
from components.evaluator.estimation.changes import Change
from components.evaluator.estimation.estimates import Estimate, SliceEstimates
from components.evaluator.evaluation import Evaluation, read_evaluation, write_evaluation
from components.evaluator.executor import bless
from components.evaluator.gate import Ruling, is_blessed, judge, judge_safeguards
from components.evaluator.metric_table import ACCURACY, AUC, METRICS, TEST_OVERLAP, Check
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import SlicePattern, parse_slice
from components.evaluator.slices import Slice
from components.evaluator.tfma.eval_config import build_eval_config
from components.evaluator.tfma.files import MetricValues, to_validation, write_tfma_files
from components.evaluator.tfma.metrics import metric_key

_NAN = math.nan
_SPECIAL = [None, _NAN, math.inf, -math.inf, -0.0, 0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.5, -1.0]
_HIGHEST = {metric.name: metric.highest for metric in METRICS}
_BOUNDED = [metric for metric in METRICS if metric.bound_kinds]
# Metrics of a slice by name; None is missing.
Values = dict[str, float | None]


def measured(accuracy: float | None, auc: float | None) -> Values:
    return {ACCURACY: accuracy, AUC: auc}


class Case(NamedTuple):
    """The bounds, and the metrics of each model by slice, empty for all texts.

    Attributes:
        gate: The bounds.
        candidate: Metrics of the candidate.
        baseline: Metrics of the baseline, None without a baseline.
        overlap: Percentage of the texts of test that are in train or val, too, None where it is
            missing.
        examples: Number of texts of slices, 100 if it is not given.
    """

    gate: GateSettings
    candidate: dict[str, Values]
    baseline: dict[str, Values] | None
    overlap: float | None = 0.0
    examples: Mapping[str, int] = {}

    def key(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return the values of a slice of the candidate."""
        pattern = parse_slice(name)
        return tuple((c, str(v)) for c, v in zip(pattern.columns, pattern.values))

    def slices(self) -> dict[str, Slice]:
        """Return the slices by their full name."""
        keys = [(), *(self.key(name) for name in self.candidate if name)]
        found = [Slice(key, np.ones(1, np.bool_)) for key in keys]
        return {each.name: each for each in found}

    def by_pattern(self) -> dict[SlicePattern, list[str]]:
        """Return the slices that each pattern of the bounds stands for."""
        found = self.slices()
        return {
            pattern: [
                name
                for name, each in found.items()
                if tuple(column for column, _ in each.key) == pattern.columns
                and all(want in {None, v} for want, (_, v) in zip(pattern.values, each.key))
            ]
            for pattern, _ in self.gate.slice_bounds()
        }

    def estimates(self) -> dict[str, SliceEstimates]:
        """Return the metrics by the full name of the slice; a width of 0.02 on each side."""
        found = {}
        for name, values in self.candidate.items():
            before = None if self.baseline is None else self.baseline.get(name, {})
            full = parse_slice(name).name if name else ''
            found[full] = SliceEstimates(
                self.examples.get(name, 100),
                {metric: _estimate(value) for metric, value in values.items() if value is not None},
                None
                if before is None
                else {m: _estimate(value) for m, value in before.items() if value is not None},
                None
                if before is None
                else {m: _change(values.get(m), before.get(m)) for m in {*values, *before}},
            )
        return found

    def judge(self) -> list[Ruling]:
        """Judge by the rule of this project."""
        return judge(
            self.gate,
            self.estimates(),
            self.by_pattern(),
            test_overlap=_NAN if self.overlap is None else self.overlap,
        )


def _estimate(value: float) -> Estimate:
    if math.isnan(value):
        return Estimate(None, None, None)
    return Estimate(value, value - 0.02, value + 0.02)


def _change(value: float | None, before: float | None) -> Change:
    if value is None or before is None or math.isnan(value - before):
        return Change(None, None, None, '')
    change = value - before
    return Change(change, change - 0.02, change + 0.02, 'no difference')


def must_be_blessed(case: Case) -> bool:
    """Return whether the candidate must be blessed, by the value of each metric."""
    gate = case.gate

    def value(of_model: dict[str, Values], where: str, metric: str) -> float:
        found = of_model.get(where, {}).get(metric)
        return _NAN if found is None else float(found)

    def within(where: str, metric: str, bound: Mapping[str, float]) -> bool:
        found = value(case.candidate, where, metric)
        good = True
        if 'min' in bound or 'max' in bound:
            good = bound.get('min', 0) <= found <= bound.get(
                'max', _HIGHEST[metric]
            ) < math.inf or (
                bound.get('min', 0) <= found < math.inf
                and 'max' not in bound
                and found <= _HIGHEST[metric]
            )
        if case.baseline is not None:
            rise = found - value(case.baseline, where, metric)
            if 'max_drop' in bound:
                good &= -math.inf < -rise <= bound['max_drop'] + 1e-9
            if 'max_rise' in bound:
                good &= -math.inf < rise <= bound['max_rise'] + 1e-9
        return good

    good = within('', ACCURACY, {'min': gate.min_accuracy, 'max_drop': gate.max_accuracy_drop})
    good &= within('', AUC, {'min': gate.min_auc})
    for metric, bound in gate.bounds.items():
        good &= within('', metric, dict(bound.fields()))
    for where, bounds in gate.slices.items():
        good &= where in case.candidate
        if isinstance(bounds, dict):
            good &= all(within(where, m, dict(bound.fields())) for m, bound in bounds.items())
        else:
            good &= within(where, ACCURACY, {'min': bounds})
    if case.baseline is not None:
        good &= '' in case.candidate
        good &= gate.min_baseline_auc <= value(case.baseline, '', AUC) <= 1
    if gate.max_test_overlap_percent < 100:
        good &= case.overlap is not None and 0 <= case.overlap <= gate.max_test_overlap_percent
    return good


@st.composite
def bounds_of_metrics(draw: st.DrawFn, *, overall: bool) -> dict[str, dict[str, float]]:
    """Draw bounds on a few metrics, each on a side that it can have."""
    found: dict[str, dict[str, float]] = {}
    for metric in draw(st.lists(st.sampled_from(_BOUNDED), max_size=3, unique_by=id)):
        kinds = [k for k in metric.bound_kinds if not (overall and metric.name == ACCURACY)]
        kinds = [k for k in kinds if not (overall and (metric.name, k) == (AUC, 'min'))]
        if kinds:
            kind = draw(st.sampled_from(kinds))
            found[metric.name] = {kind: draw(st.sampled_from([0.5, 0.02, 0.9]))}
    return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    buckets = st.sampled_from(features.LENGTH_BUCKETS)
    bounded = st.floats(0.01, 0.95) | bounds_of_metrics(overall=False).filter(bool)
    slices = draw(st.dictionaries(buckets, bounded, max_size=2))
    gate = GateSettings(
        min_accuracy=draw(st.sampled_from([0.1, 0.8]) | st.floats(1e-6, 0.95)),
        max_accuracy_drop=draw(st.sampled_from([0, 0.01, 0.02]) | st.floats(0, 0.99)),
        min_auc=draw(st.just(0.7) | st.floats(0.51, 0.95)),
        min_baseline_auc=draw(st.sampled_from([0, 0.5]) | st.floats(0, 1)),
        bounds=draw(bounds_of_metrics(overall=True)),
        slices=slices,
        max_test_overlap_percent=draw(st.sampled_from([0, 5, 100]) | st.floats(0, 100)),
    )
    # Near each bound, at it, and anywhere.
    numbers = [gate.min_accuracy, gate.min_auc, gate.min_baseline_auc, 0.5, 0.02, 0.9]
    numbers += [bound for bound in slices.values() if isinstance(bound, float)]
    ties = [v for b in numbers for v in (b, math.nextafter(b, 0), math.nextafter(b, 2), b + 5e-10)]
    # Most values are good; otherwise hardly any candidate would be blessed.
    others = st.one_of(st.sampled_from(_SPECIAL), st.sampled_from(ties), st.floats(0, 1))

    def value(metric: str) -> float | None:
        if draw(st.integers(1, 40)) == 13:
            return draw(others)
        lower = metric in {'loss', 'expected_calibration_error'}
        return draw(st.floats(0, 0.02) if lower else st.floats(0.95, 1))

    names = [*dict.fromkeys([ACCURACY, AUC, *gate.bounds])]
    for bounds in gate.slices.values():
        names += [
            name for name in (bounds if isinstance(bounds, dict) else ()) if name not in names
        ]

    def model() -> dict[str, Values]:
        wheres = ['', *slices, draw(buckets)]
        absent = draw(st.sampled_from([None] * 9 + wheres))
        return {w: {m: value(m) for m in names} for w in wheres if w != absent}

    most = gate.max_test_overlap_percent
    overlaps = st.sampled_from([None, _NAN, most, math.nextafter(most, 101), -1.0, 100.0])
    overlap = draw(st.floats(0, most) | st.just(0.0) | overlaps)
    candidate, baseline = model(), draw(st.none() | st.just(0))
    if baseline is None:
        return Case(gate, candidate, None, overlap)
    of_baseline = model()
    accuracy = candidate.get('', {}).get(ACCURACY)
    if accuracy is not None and draw(st.booleans()):
        # The largest allowed drop, or a rounding error more or less.
        tie = accuracy + gate.max_accuracy_drop
        tie = draw(st.sampled_from([tie, math.nextafter(tie, 2), tie + 1e-9, tie + 2e-9]))
        of_baseline.setdefault('', dict.fromkeys(names, 0.9))[ACCURACY] = tie
    return Case(gate, candidate, of_baseline, overlap)


def metrics_by_slice(case: Case) -> dict[Any, MetricValues]:
    """Return the metrics of a case in TFMA's form."""
    model = '' if case.baseline is None else tfma.CANDIDATE_KEY
    names = {m for values in case.candidate.values() for m in values}
    metrics: dict[Any, MetricValues] = {}
    for name, values in case.candidate.items():
        before = (case.baseline or {}).get(name, {})
        found: MetricValues = {}
        for metric in names:
            value, base = values.get(metric), before.get(metric)
            # A missing metric is NaN: TFMA would take a metric that is missing in one slice as
            # missing in all.
            value, base = (_NAN if number is None else number for number in (value, base))
            key = metric_key(metric, model)
            found[key] = value
            if case.baseline is not None:
                found[key.make_diff_key()] = value - base
                found[metric_key(metric, tfma.BASELINE_KEY)] = base
        metrics[case.key(name) if name else ()] = found
    return metrics


def stock_verdict(case: Case) -> bool:
    """Judge as TFX's executor does: by TFMA alone, and by the safeguards after it."""
    has_baseline, slices = case.baseline is not None, case.slices()
    rulings = case.judge()
    config = build_eval_config(rulings, slices, {'candidate': 0.5}, has_baseline=has_baseline)
    combine = writer.CombineValidations(config)
    found = combine.create_accumulator()
    for of_slice in metrics_by_slice(case).items():
        found = combine.add_input(found, metrics_validator.validate_metrics(of_slice, config))
    overlap = _NAN if case.overlap is None else case.overlap
    whole = case.estimates().get('')
    safeguards = judge_safeguards(case.gate, whole, test_overlap=overlap)
    # Without a baseline, TFMA drops a bound on the change, even if its slice has no examples.
    dropped = [r for r in rulings if not has_baseline and r.kind in {'max_drop', 'max_rise'}]
    validation_ok = bool(combine.extract_output(found).validation_ok)
    return validation_ok and all(ruling.check.passed for ruling in [*safeguards, *dropped])


def write(case: Case, folder: pathlib.Path) -> tuple[bool, Evaluation]:
    """Judge, bless and write as the executor does; return the verdict and what is read."""
    rulings, slices, has_baseline = case.judge(), case.slices(), case.baseline is not None
    models = {'candidate': 'a', 'baseline': 'b'} if has_baseline else {'candidate': 'a'}
    config = build_eval_config(rulings, slices, {}, has_baseline=has_baseline)
    write_tfma_files(
        str(folder), config, models, {}, slices=slices, rulings=rulings, test_overlap=0.0
    )
    checks = tuple(ruling.check for ruling in rulings)
    evaluation = Evaluation(metrics={}, slices={}, baseline=None, thresholds=checks)
    write_evaluation(evaluation, str(folder))
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(folder / 'blessing')
    candidate = standard_artifacts.Model()
    bless(blessing, is_blessed(rulings), candidate, candidate if has_baseline else None)
    (file,) = (folder / 'blessing').iterdir()
    blessed = file.name == 'BLESSED'
    assert blessing.get_int_custom_property('blessed') == blessed
    assert tfma.load_validation_result(str(folder)).validation_ok is blessed
    return blessed, read_evaluation(str(folder))


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
    assert failure.metric_value.double_value.value == pytest.approx(overlap or _NAN, nan_ok=True)
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
    for value, passed in ((good, True), (bad, False), (None, False), (_NAN, False)):
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
    accuracies = {'product=tea': 0.95, 'product=cup': 0.4, 'product=pan': _NAN}
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
