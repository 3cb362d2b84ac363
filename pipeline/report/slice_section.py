"""Prepares the section of the report that shows the metrics of slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.common import features
from components.evaluator.metric_rows import interval_name
from components.evaluator.metric_table import ACCURACY, EXAMPLE_COUNT, KNOWN_METRICS
from pipeline.report import interval_charts, measures
from pipeline.report.measures import Slice
from pipeline.report.view import Missing
from pipeline.results.outcome import RunOutcome

Context = dict[str, Any]

_SLICES_SHOWN = 100
_SLICES_DRAWN = 24
_SLICES_NAMED = 6


def slices(outcome: RunOutcome) -> list[Context] | Missing:
    """Return a table and a chart of the slices of each column or set of columns."""
    if not outcome.metrics:
        return Missing(reason='The run ended before the Evaluator.')
    found = [
        _slices_of(columns, parts, outcome)
        for columns, parts in measures.slices_by_columns(outcome).items()
    ]
    return found or Missing(reason='The model was not evaluated on slices.')


def _slices_of(columns: str, parts: Sequence[Slice], outcome: RunOutcome) -> Context:
    title = 'number of words' if columns == features.LENGTH_KEY else columns
    bounded = {check.metric for part in parts for check in part.checks}
    of_user = {name for part in parts for name in part.metrics if name not in KNOWN_METRICS}
    overall = outcome.metrics.get(ACCURACY)
    summary, chart = '', None
    if overall is not None:
        summary = _describe_worse(parts, overall)
        name = f'Accuracy by {title}, with {interval_name(outcome.confidence)}s. {summary}'
        chart = interval_charts.draw_slices(parts[:_SLICES_DRAWN], title, overall, name)
    return {
        'title': title,
        'summary': summary,
        'chart': chart,
        'metrics': [ACCURACY, *sorted((bounded | of_user) - {ACCURACY, EXAMPLE_COUNT})],
        'parts': parts[:_SLICES_SHOWN],
        'more': max(0, len(parts) - _SLICES_SHOWN),
        'has_intervals': any(part.intervals for part in parts),
        'has_bounds': bool(bounded),
    }


def _describe_worse(parts: Sequence[Slice], overall: float) -> str:
    """Return which slices have an interval below the accuracy on all texts."""
    worse = [
        f'{part.name} ({part.metrics[ACCURACY]:.4f})'
        for part in parts
        if (ends := part.intervals.get(ACCURACY)) is not None and ends[1] < overall
    ]
    if not any(ACCURACY in part.intervals for part in parts):
        return ''
    if not worse:
        return f'No slice is clearly below the overall accuracy of {overall:.4f}.'
    more = f' and {len(worse) - _SLICES_NAMED} more' if len(worse) > _SLICES_NAMED else ''
    listed = ', '.join(worse[:_SLICES_NAMED])
    return f'Clearly below the overall accuracy of {overall:.4f}: {listed}{more}.'
