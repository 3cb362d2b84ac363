"""Draws values with their intervals: the accuracy of slices, and changes against the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.evaluator.metric_rows import (
    MetricRow,
    format_change,
    format_change_interval,
    format_interval,
)
from components.evaluator.metric_table import ACCURACY
from pipeline.report import measures
from pipeline.report.curves import share
from pipeline.report.vega import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    MUTED,
    Spec,
    category,
    dots,
    dotted_line,
    draw,
    layer,
    number,
)

_COLOUR: Spec = {'field': 'colour', 'type': 'nominal', 'scale': None, 'legend': None}
# Letters of another font may be wider than those that Vega measures.
_WIDEST_LABEL = 170
# Colour, fill and shape of a change.
_VERDICTS = {
    'better': (GOOD, GOOD, 'triangle-up'),
    'worse': (BAD, BAD, 'triangle-down'),
    'no difference': (MUTED, 'var(--paper)', 'circle'),
}


def draw_slices(
    slices: Sequence[measures.Slice], columns: str, overall: float, name: str
) -> Markup | None:
    """Draw the accuracy of each slice with its interval, and the overall accuracy as a line.

    Slices without an interval are left out; None if all are.
    """
    values: list[Spec] = []
    for part in slices:
        accuracy, ends = part.metrics.get(ACCURACY), part.intervals.get(ACCURACY)
        if accuracy is not None and ends is not None:
            values.append(
                {
                    'slice': part.name,
                    'x': accuracy,
                    'low': ends[0],
                    'high': ends[1],
                    'label': f'{part.name}: {accuracy:.4f} '
                    f'({format_interval(ACCURACY, ends)}), {part.examples:,} texts',
                }
            )
    if not values:
        return None
    lowest = min([value['low'] for value in values] + [overall])
    first = max(0, min(9, int(lowest * 10)))
    # Labels of more ticks would overlap.
    tenths = range(first, 11) if first > 4 else range(first - first % 2, 11, 2)
    names = [value['slice'] for value in values]
    room = min(_WIDEST_LABEL, 7.5 * max(map(len, names)))
    y = category(
        'slice', columns, names, minExtent=room, labelLimit=room, titleX=-max(room, 52)
    )  # fmt: skip
    x = share('x', 'accuracy', [tenth / 10 for tenth in tenths], low=tenths[0] / 10)
    rule = {'type': 'rule', 'color': ACCENT, 'strokeWidth': 2}
    layers = [
        dotted_line('x', overall, x),
        layer(values, rule, y=y, x={**x, 'field': 'low'}, x2={'field': 'high'}),
        dots(values, x, y, size=64),
    ]
    return draw(layers, name, height=72 + (32 if len(values) < 10 else 22) * len(values))


def draw_changes(rows: Sequence[MetricRow]) -> Markup | None:
    """Draw the change of each metric with its interval, None if none is known.

    Better, worse and unclear changes differ in colour and in shape.
    """
    found = [(row.metric, change) for row in rows if (change := row.change) and change.verdict]
    values: list[Spec] = []
    ends = [0.0]
    for metric, change in found:
        assert change.change is not None
        low = change.change if change.low is None else change.low
        high = change.change if change.high is None else change.high
        ends += [low, high]
        values.append(
            {
                'metric': metric.label,
                'x': change.change,
                'low': low,
                'high': high,
                'colour': _VERDICTS[change.verdict][0],
                'verdict': change.verdict,
                'label': f'{metric.label}: {format_change(change.change)} '
                f'({format_change_interval(change)}), {change.verdict}',
            }
        )
    if not values:
        return None
    margin = 0.04 * (max(ends) - min(ends)) or 0.01
    labels = [value['metric'] for value in values]
    y = category(
        'metric', None, labels, minExtent=_WIDEST_LABEL, labelLimit=_WIDEST_LABEL, labelColor=INK
    )
    x = number('x', 'candidate minus baseline', (min(ends) - margin, max(ends) + margin),
               tickCount=5, format='+~g')  # fmt: skip
    rule = {'type': 'rule', 'strokeWidth': 2}
    layers = [
        dotted_line('x', 0, x),
        layer(values, rule, y=y, x={**x, 'field': 'low'}, x2={'field': 'high'}, color=_COLOUR),
    ]
    for verdict, (colour, fill, shape) in _VERDICTS.items():
        own = [value for value in values if value['verdict'] == verdict]
        mark = {'type': 'point', 'shape': shape, 'size': 70, 'opacity': 1}
        layers += [layer(own, {**mark, 'stroke': colour, 'fill': fill}, x=x, y=y)] if own else []
    name = 'Change of each metric: ' + '; '.join(value['label'] for value in values)
    return draw(layers, name, height=56 + 26 * len(values))
