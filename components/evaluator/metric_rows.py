"""The rows of a table of metrics, which terminal, report and model card share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from components.evaluator.metric_table import (
    KNOWN_METRICS,
    METRICS,
    Check,
    Ends,
    Metric,
    MetricChange,
    find_metric,
)


class MetricResults(Protocol):
    """What an evaluation and the record of a run have in common."""

    @property
    def metrics(self) -> Mapping[str, float | None]: ...
    @property
    def intervals(self) -> Mapping[str, Ends]: ...
    @property
    def baseline(self) -> Mapping[str, float | None] | None: ...
    @property
    def changes(self) -> Mapping[str, MetricChange]: ...


class MetricRow(NamedTuple):
    """A metric of the whole test split.

    Attributes:
        metric: The metric.
        value: Value of the candidate, None if it is undefined.
        interval: Interval of the value, None if it is not known.
        checks: Results of the bounds of the metric.
        baseline: Value of the baseline, None if it is not known.
        change: Candidate minus baseline, None without a baseline. It has no interval
            in records of older versions.
    """

    metric: Metric
    value: float | None
    interval: Ends | None
    checks: list[Check]
    baseline: float | None
    change: MetricChange | None


def metric_rows(found: MetricResults, checks: Iterable[Check]) -> list[MetricRow]:
    """Return the metrics of this project, then those of the user.

    Args:
        found: The evaluation, or the record of a run.
        checks: Results of the bounds.
    """
    of_all = [check for check in checks if not check.slice]
    others = [find_metric(name) for name in found.metrics if name not in KNOWN_METRICS]
    rows = []
    for metric in (*(metric for metric in METRICS if metric.direction), *others):
        value = found.metrics.get(metric.name)
        base = (found.baseline or {}).get(metric.name)
        change = found.changes.get(metric.name)
        if change is None and value is not None and base is not None:
            change = MetricChange(change=value - base)
        own = [check for check in of_all if check.metric == metric.name]
        # Records of older versions do not have all metrics.
        if value is None and not (own or metric.in_summary):
            continue
        rows.append(MetricRow(metric, value, found.intervals.get(metric.name), own, base, change))
    return rows


def format_interval(name: str, ends: Ends | None, missing: str = '') -> str:
    """Return the interval of a metric as text, or `missing` if there is none.

    Example:
        >>> format_interval('auc', (0.9741, 0.97752))
        '0.9741 to 0.9775'
    """
    if ends is None:
        return missing
    return ' to '.join(format(end, find_metric(name).number_format) for end in ends)


def format_change(number: float | None) -> str:
    """Return a change with its sign, empty if it is undefined.

    Example:
        >>> format_change(0.0514)
        '+0.0514'
    """
    return '' if number is None else f'{number:+.4f}'


def format_change_interval(change: MetricChange) -> str:
    """Return the interval of a change as text, empty if there is none.

    Example:
        >>> format_change_interval(MetricChange(change=0.05, low=-0.01, high=0.11))
        '-0.0100 to +0.1100'
    """
    if change.low is None or change.high is None:
        return ''
    return f'{format_change(change.low)} to {format_change(change.high)}'


def interval_name(confidence: float) -> str:
    """Return what an interval of this level is called.

    Example:
        >>> interval_name(0.95)
        '95% interval'
    """
    return f'{100 * confidence:g}% interval'
