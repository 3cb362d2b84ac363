"""Cases of the gate: bounds with metrics, a plain rule for the verdict, and TFMA's verdict."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow_model_analysis as tfma
from hypothesis import strategies as st
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from tfx.types import standard_artifacts

from components.common import features
from components.evaluator.estimation.changes import Change
from components.evaluator.estimation.estimates import Estimate, SliceEstimates
from components.evaluator.evaluation import Evaluation, read_evaluation, write_evaluation
from components.evaluator.executor import bless
from components.evaluator.gate import Ruling, is_blessed, judge, judge_safeguards
from components.evaluator.metric_table import ACCURACY, AUC, METRICS
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import SlicePattern, parse_slice
from components.evaluator.slices import Slice
from components.evaluator.tfma.eval_config import build_eval_config
from components.evaluator.tfma.files import MetricValues, write_tfma_files
from components.evaluator.tfma.metrics import metric_key

NAN = math.nan
SPECIAL = [None, NAN, math.inf, -math.inf, -0.0, 0.0, 0.5, 0.7, 0.8, 0.9, 1.0, 1.5, -1.0]
HIGHEST = {metric.name: metric.highest for metric in METRICS}
BOUNDED = [metric for metric in METRICS if metric.bound_kinds]
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
            test_overlap=NAN if self.overlap is None else self.overlap,
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
        return NAN if found is None else float(found)

    def within(where: str, metric: str, bound: Mapping[str, float]) -> bool:
        found = value(case.candidate, where, metric)
        good = True
        if 'min' in bound or 'max' in bound:
            good = bound.get('min', 0) <= found <= bound.get('max', HIGHEST[metric]) < math.inf or (
                bound.get('min', 0) <= found < math.inf
                and 'max' not in bound
                and found <= HIGHEST[metric]
            )
        if case.baseline is not None:
            rise = found - value(case.baseline, where, metric)
            if 'max_drop' in bound or 'max_rise' in bound:
                good &= 0 <= found <= HIGHEST[metric] and found < math.inf
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
    for metric in draw(st.lists(st.sampled_from(BOUNDED), max_size=3, unique_by=id)):
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
    others = st.one_of(st.sampled_from(SPECIAL), st.sampled_from(ties), st.floats(0, 1))

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
    overlaps = st.sampled_from([None, NAN, most, math.nextafter(most, 101), -1.0, 100.0])
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
            value, base = (NAN if number is None else number for number in (value, base))
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
    overlap = NAN if case.overlap is None else case.overlap
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
