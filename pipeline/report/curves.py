"""Draws the curves of one or more models: ROC, precision over recall, and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from components.evaluator.score_details import Histogram
from pipeline.report import measures
from pipeline.report.measures import Bin, Point
from pipeline.report.vega import (
    ACCENT,
    GUIDE,
    INK,
    STYLES,
    Spec,
    dots,
    draw,
    layer,
    line,
    number,
    text,
)

Curves = Mapping[str, Sequence[Point]]  # points by the name of the curve

QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def share(field: str, title: str, values: Sequence[float] = QUARTERS, low: float = 0) -> Spec:
    """Return the encoding of a share between `low` and 1."""
    return number(field, title, (low, 1), values=list(values), format='.2~f')


def draw_curves(
    scores: Mapping[str, Histogram], at_half: tuple[Point | None, Point | None] = (None, None)
) -> dict[str, Markup]:
    """Draw the curves of one or more models.

    Args:
        scores: Histogram of the scores by name of the model.
        at_half: Points of the threshold 0.5 on the first model's curves: false
            and true positive rate, and recall and precision.

    Returns:
        The charts by title, without those that the first model's scores do not
        determine.
    """
    first = next(iter(scores.values()))
    positives, negatives = sum(first.positive), sum(first.negative)
    charts = {}
    if positives and negatives:
        charts['ROC'] = _draw(
            {name: measures.roc(histogram) for name, histogram in scores.items()},
            (share('x', 'false positive rate'), share('y', 'true positive rate')),
            'ROC curve: true positive rate by false positive rate',
            guide=[Point(0, 0), Point(1, 1)],
            at_half=at_half[0],
            legend_at=Point(0.42, 0.06),
        )
        base = positives / (positives + negatives)
        charts['Precision and recall'] = _draw(
            {name: measures.precision_recall(histogram) for name, histogram in scores.items()},
            (share('x', 'recall'), share('y', 'precision')),
            'Precision by recall of all thresholds',
            guide=[Point(0, base), Point(1, base)],
            at_half=at_half[1],
            legend_at=Point(0.04, 0.06),
        )
    if positives or negatives:
        charts['Calibration'] = _draw_reliability(
            {name: measures.reliability(histogram) for name, histogram in scores.items()}
        )
    return charts


def _draw_reliability(bins: Mapping[str, Sequence[Bin]]) -> Markup:
    x, y = share('x', 'predicted probability'), share('y', 'observed share of positives')
    first = [
        {
            'x': part.predicted,
            'y': part.observed.share,
            'low': part.observed.low,
            'high': part.observed.high,
            'label': f'predicted {part.predicted:.2f}, observed {part.observed.share:.2f} '
            f'({part.observed.low:.2f} to {part.observed.high:.2f}), {part.examples:,} texts',
        }
        for part in next(iter(bins.values()))
    ]
    curves = {
        label: [Point(part.predicted, part.observed.share) for part in parts]
        for label, parts in bins.items()
    }
    bars = layer(
        [{key: value for key, value in row.items() if key != 'label'} for row in first],
        {'type': 'rule', 'color': ACCENT, 'strokeWidth': 1.5},
        x=x,
        y={**y, 'field': 'low'},
        y2={'field': 'high'},
    )
    layers = [
        line(_values([Point(0, 0), Point(1, 1)]), x, y, GUIDE, strokeWidth=1),
        *_lines(curves, x, y),
        bars,
        dots(first, x, y),
        *(_legend(curves, Point(0.04, 0.94), -1, x, y) if len(curves) > 1 else []),
    ]
    name = 'Observed share of positives by predicted probability, with 95% intervals'
    return draw(layers, name)


def _draw(
    curves: Curves,
    axes: tuple[Spec, Spec],
    name: str,
    *,
    guide: Sequence[Point],
    at_half: Point | None,
    legend_at: Point,
) -> Markup:
    x, y = axes
    layers = [line(_values(guide), x, y, GUIDE, strokeWidth=1), *_lines(curves, x, y)]
    if at_half is not None:
        layers.append(dots(_values([at_half]), x, y, size=64))
    if len(curves) > 1:
        layers += _legend(curves, legend_at, 1, x, y)
    return draw(layers, name)


def _values(points: Sequence[Point]) -> list[Spec]:
    return [point._asdict() for point in points]


def _lines(curves: Curves, x: Spec, y: Spec) -> list[Spec]:
    # The first curve is on top.
    styled = list(zip(curves.values(), STYLES))
    return [line(_values(points), x, y, style) for points, style in reversed(styled)]


def _legend(curves: Curves, start: Point, direction: int, x: Spec, y: Spec) -> list[Spec]:
    """Return a legend that grows upwards (1) or downwards (-1) from a point."""
    layers: list[Spec] = []
    order = list(zip(curves, STYLES))
    for row, (name, style) in enumerate(order[::-direction]):
        height = start.y + direction * row * 0.085
        ends = [Point(start.x, height), Point(start.x + 0.09, height)]
        layers += [
            line(_values(ends), x, y, style),
            text((start.x + 0.12, height), name, x, y, color=INK),
        ]
    return layers
