"""Judges the candidate: compares its metrics with the bounds of the settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from components.evaluator.bounds import Bound
from components.evaluator.estimation.estimates import SliceEstimates
from components.evaluator.metric_table import (
    ACCURACY,
    AUC,
    BASELINE_PREFIX,
    TEST_OVERLAP,
    BoundKind,
    Check,
    find_metric,
    format_metric,
)
from components.evaluator.settings import GateSettings
from components.evaluator.slice_patterns import SlicePattern

# 0.88 - 0.90 is a little less than -0.02 in floating point; a drop of just 0.02 is allowed.
ROUNDING = 1e-9
BASELINE_HINT = (
    'the baseline ranks the texts of this test split worse than the bound: the labels may be '
    'swapped, or the data is of another kind; check the labels, and if they are right, pass '
    'another --name, or pass --set gate.min_baseline_auc=0 for one run'
)
OVERLAP_HINT = (
    'the model may know these texts, so the metrics on test may be too good: remove the texts from '
    'test or from the other splits, or pass data without named splits, which the pipeline splits, '
    'or raise gate.max_test_overlap_percent'
)
UNKNOWN_OVERLAP_HINT = (
    'StatisticsGen did not count these texts: run the command again with another --root, or pass '
    '--set gate.max_test_overlap_percent=100 for no bound'
)
_ABSENT_HINT = 'no text of test is in this slice: correct its name in gate.slices'
_INTERVAL_HINT = (
    'the value meets the bound, but the worse end of its interval does not: a larger test split '
    'makes the interval narrower, and gate.confidence=null judges by the value'
)
_ALL_PERCENT = 100.0


class Ruling(NamedTuple):
    """A check with the bound as a number.

    Attributes:
        check: The result of the bound.
        kind: Which side of the metric is bounded.
        limit: The bound.
        compared: The number that was compared with it: the metric or its change, or an end of
            the interval.
        model: The model whose metric is bounded.
    """

    check: Check
    kind: BoundKind
    limit: float
    compared: float | None
    model: Literal['candidate', 'baseline'] = 'candidate'


def judge(
    gate: GateSettings,
    estimates: Mapping[str, SliceEstimates],
    by_pattern: Mapping[SlicePattern, Sequence[str]],
    *,
    test_overlap: float,
) -> list[Ruling]:
    """Compare the metrics with each bound of the settings.

    A metric that is missing, undefined or outside its range does not meet any bound, and neither
    does a slice without examples. Without a baseline, bounds on the change and on the baseline
    are left out.

    Args:
        gate: The bounds.
        estimates: By slice; the whole test split is the slice `''`.
        by_pattern: Slices that each pattern of `gate.slices` stands for.
        test_overlap: Percentage of the texts of `test` that are also in `train` or `val`, NaN
            if it is not known.

    Returns:
        The result of each bound; `is_blessed` is the verdict.
    """
    whole = estimates.get('')
    found = list(_judge_slice(gate, '', gate.overall_bounds(), whole))
    for pattern, bounds in gate.slice_bounds():
        for name in by_pattern.get(pattern) or [pattern.name]:
            found += _judge_slice(gate, name, bounds, estimates.get(name))
    return [*found, *judge_safeguards(gate, whole, test_overlap=test_overlap)]


def judge_safeguards(
    gate: GateSettings, whole: SliceEstimates | None, *, test_overlap: float
) -> Iterator[Ruling]:
    """Yield the results of the bounds that do not depend on who evaluates the candidate.

    They are compared with the value, also if `gate.confidence` is set.

    Args:
        gate: The lowest AUC of the baseline, and the largest overlap of test.
        whole: The estimates of the whole test split.
        test_overlap: See `judge`.
    """
    # A bound of 100% is none, also if the share is not known.
    most = gate.max_test_overlap_percent
    if most != _ALL_PERCENT:
        known = None if math.isnan(test_overlap) else test_overlap
        check = Check(
            metric=TEST_OVERLAP,
            slice='',
            value=known,
            bound=f'<= {format_metric(TEST_OVERLAP, most)}',
            passed=_holds('max', known, most, _ALL_PERCENT),
            hint=UNKNOWN_OVERLAP_HINT if known is None else OVERLAP_HINT,
        )
        yield Ruling(check, 'max', most, known)
    if whole is not None and whole.baseline is not None:
        value = whole.baseline[AUC].value if AUC in whole.baseline else None
        check = Check(
            metric=f'{BASELINE_PREFIX}{AUC}',
            slice='',
            value=value,
            bound=f'>= {gate.min_baseline_auc:.4f}',
            passed=_holds('min', value, gate.min_baseline_auc, 1),
            hint=BASELINE_HINT,
        )
        yield Ruling(check, 'min', gate.min_baseline_auc, value, 'baseline')


def judge_scores(whole: SliceEstimates | None) -> Iterator[Ruling]:
    """Yield a failed check if the candidate does not return a probability for each example."""
    found = whole and whole.candidate.get(ACCURACY)
    if found is None or found.value is None:
        check = Check(metric=ACCURACY, slice='', value=None, bound='>= 0.0000', passed=False)
        yield Ruling(check, 'min', 0.0, None)


def is_blessed(rulings: Iterable[Ruling]) -> bool:
    """Return whether there are bounds, and all are met or do not apply."""
    passed = [ruling.check.passed for ruling in rulings]
    return bool(passed) and all(passed)


def _judge_slice(
    gate: GateSettings, name: str, bounds: Mapping[str, Bound], found: SliceEstimates | None
) -> Iterator[Ruling]:
    found = found if found is not None and found.examples else None
    few = found is not None and bool(name) and found.examples < gate.min_slice_examples
    reason = ''
    if found is not None and few:
        reason = (
            f'{found.examples:,} text{"s" * (found.examples != 1)}, fewer than '
            f'gate.min_slice_examples ({gate.min_slice_examples:,})'
        )
    for metric, bound in bounds.items():
        for kind, limit in bound.fields().items():
            ruling = _judge_bound(gate, found, name=name, metric=metric, kind=kind, limit=limit)
            if ruling is None:
                continue
            if few and gate.small_slices == 'report':
                check = dataclasses.replace(
                    ruling.check, passed=True, skipped=reason, hint='', judged=None
                )
            elif few:
                check = dataclasses.replace(
                    ruling.check, passed=False, hint=f'the slice has {reason}'
                )
            elif found is None and name:
                check = dataclasses.replace(ruling.check, hint=_ABSENT_HINT)
            else:
                check = ruling.check
            yield ruling._replace(check=check)


def _judge_bound(
    gate: GateSettings,
    found: SliceEstimates | None,
    *,
    name: str,
    metric: str,
    kind: BoundKind,
    limit: float,
) -> Ruling | None:
    is_change = kind in {'max_drop', 'max_rise'}
    if is_change and found is not None and found.baseline is None:
        return None
    estimate = found.candidate.get(metric) if found else None
    measured = (found.changes or {}).get(metric) if found and is_change else estimate
    value = measured.value if measured else None
    end = None
    if gate.confidence is not None and measured:
        end = measured.low if kind in {'min', 'max_drop'} else measured.high
    highest = find_metric(metric).highest
    compared = value if gate.confidence is None else end
    # A change of an impossible value says nothing.
    in_range = estimate is not None and _holds('min', estimate.value, 0, highest)
    passed = in_range and _holds(kind, compared, limit, highest)
    sign = '>=' if kind in {'min', 'max_drop'} else '<='
    bound, base = f'{sign} {limit:.4f}', 0.0
    if is_change:
        of_baseline = (found.baseline or {}).get(metric) if found else None
        allowed = -limit if kind == 'max_drop' else limit
        if of_baseline is None or of_baseline.value is None:
            bound = f'{sign} baseline {"-" if kind == "max_drop" else "+"} {limit:.4f}'
        else:
            base = of_baseline.value
            bound = f'{sign} {base + allowed:.4f} (baseline)'
    by_value = _holds(kind, value, limit, highest)
    check = Check(
        metric=metric,
        slice=name,
        value=estimate.value if estimate else None,
        bound=bound,
        passed=passed,
        hint=_INTERVAL_HINT if by_value and not passed else '',
        judged=None if end is None else base + end,
    )
    return Ruling(check, kind, limit, compared)


def _holds(kind: BoundKind, value: float | None, limit: float, highest: float) -> bool:
    """Return whether a value meets a bound; a missing value does not.

    Args:
        kind: Which side is bounded.
        value: The metric, or for `max_drop` and `max_rise` its change. A comparison with NaN is
            false.
        limit: The bound.
        highest: Highest value that the metric can have.
    """
    if value is None or math.isinf(value):
        return False
    if kind == 'max_drop':
        return value >= -limit - ROUNDING
    if kind == 'max_rise':
        return value <= limit + ROUNDING
    return limit <= value <= highest if kind == 'min' else 0 <= value <= limit
