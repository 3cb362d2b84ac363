"""Draws the curves of one or more models: ROC, precision over recall, and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

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


def draw_roc(curves: Curves, at_half: Point | None, name: str) -> Markup:
    """Draw ROC curves; `at_half` is the point of the decision threshold 0.5."""
    axes = share('x', 'false positive rate'), share('y', 'true positive rate')
    guide = [Point(0, 0), Point(1, 1)]
    return _draw_curves(
        curves, axes, name, guide=guide, at_half=at_half, legend_at=Point(0.42, 0.06)
    )


def draw_precision_recall(
    curves: Curves, base: float, at_half: Point | None, name: str
) -> Markup:
    """Draw precision over recall; `base` is the precision of random predictions."""
    axes = share('x', 'recall'), share('y', 'precision')
    guide = [Point(0, base), Point(1, base)]
    return _draw_curves(
        curves, axes, name, guide=guide, at_half=at_half, legend_at=Point(0.04, 0.06)
    )


def draw_reliability(bins: Mapping[str, Sequence[Bin]], name: str) -> Markup:
    """Draw observed shares over predicted probabilities, with intervals for the first model."""
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
    return draw(layers, name)


def _draw_curves(
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
