"""The curves of a report: ROC, precision over recall, calibration; of one model or more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from pipeline.report.measures import Bin, Point
from pipeline.report.vega import ACCENT, INK, MUTED, OTHER, Spec, draw

_QUARTERS = (0, 0.25, 0.5, 0.75, 1)
# Told apart by their dashes, too.
STYLES: tuple[tuple[str, list[int]], ...] = (
    (ACCENT, []),
    (OTHER, [6, 4]),
    (INK, [2, 4]),
    (MUTED, [10, 3, 2, 3]),
    (ACCENT, [10, 5]),
    (OTHER, [1, 4]),
)


class Curve(NamedTuple):
    """A curve of a chart: what it is called there, and its points."""

    name: str
    points: Sequence[Point]


def shares(
    field: str,
    title: str | None,
    values: Sequence[float] = _QUARTERS,
    *,
    low: float = 0.0,
    high: float = 1.0,
    **axis: Any,
) -> Spec:
    """Encode a share."""
    return {
        'field': field,
        'type': 'quantitative',
        'title': title,
        'scale': {'domain': [low, high], 'nice': False, 'zero': False},
        'axis': {'values': list(values), 'format': '.2~f', **axis},
    }


def draw_roc(curves: Sequence[Curve], at_half: Point | None, name: str) -> Markup:
    """Draw ROC curves; `at_half` is where a model is that decides at one half."""
    return _draw_curves(
        curves,
        ('false positive rate', 'true positive rate'),
        guide=[Point(0, 0), Point(1, 1)],
        at_half=at_half,
        key_at=Point(0.42, 0.06),
        name=name,
    )


def draw_precision_recall(
    curves: Sequence[Curve], base: float, at_half: Point | None, name: str
) -> Markup:
    """Draw curves of precision over recall; `base` is the precision of a guess."""
    return _draw_curves(
        curves,
        ('recall', 'precision'),
        guide=[Point(0, base), Point(1, base)],
        at_half=at_half,
        key_at=Point(0.04, 0.06),
        name=name,
    )


def draw_reliability(curves: Mapping[str, Sequence[Bin]], name: str) -> Markup:
    """Draw what was observed over what was predicted, with 95% intervals for the first."""
    x, y = ('predicted probability', 'share of positives observed')
    first = next(iter(curves.values()))
    values = [
        {
            'x': part.predicted,
            'y': part.observed.share,
            'low': part.observed.low,
            'high': part.observed.high,
            'told': f'predicted {part.predicted:.2f}, observed {part.observed.share:.2f} '
            f'({part.observed.low:.2f} to {part.observed.high:.2f}), {part.examples:,} reviews',
        }
        for part in first
    ]
    spans: Spec = {
        'data': {'values': values},
        'mark': {'type': 'rule', 'color': ACCENT, 'strokeWidth': 1.5},
        'encoding': {'x': shares('x', x), 'y': shares('low', y), 'y2': {'field': 'high'}},
    }
    dots: Spec = {
        'data': {'values': values},
        'mark': {'type': 'circle', 'color': ACCENT, 'size': 44, 'opacity': 1, 'aria': True},
        'encoding': {
            'x': shares('x', x),
            'y': shares('y', y),
            'description': {'field': 'told'},
        },
    }
    lines = [
        Curve(label, [Point(part.predicted, part.observed.share) for part in bins])
        for label, bins in curves.items()
    ]
    layers = [
        _guide([Point(0, 0), Point(1, 1)], (x, y)),
        *_lines(lines, (x, y)),
        spans,
        dots,
        *(_key(lines, Point(0.04, 0.94), -1, (x, y)) if len(lines) > 1 else []),
    ]
    return draw({'layer': layers}, name)


def _draw_curves(
    curves: Sequence[Curve],
    titles: tuple[str, str],
    *,
    guide: Sequence[Point],
    at_half: Point | None,
    key_at: Point,
    name: str,
) -> Markup:
    layers = [_guide(guide, titles), *_lines(curves, titles)]
    if at_half is not None:
        # Where there is room for it.
        aligned = 'right' if at_half.x > 0.5 else 'left'
        layers += [
            {
                **_at(at_half, titles),
                'mark': {'type': 'circle', 'color': ACCENT, 'size': 64, 'opacity': 1},
            },
            _text(at_half, 'at one half', INK, titles, dy=16, align=aligned),
        ]
    if len(curves) > 1:
        layers += _key(curves, key_at, 1, titles)
    return draw({'layer': layers}, name)


def _lines(curves: Sequence[Curve], titles: tuple[str, str]) -> list[Spec]:
    # The first lies on top.
    styled = list(zip(curves, STYLES))
    return [
        {
            'data': {'values': [point._asdict() for point in curve.points]},
            'mark': {'type': 'line', 'color': colour, 'strokeDash': dash},
            'encoding': {
                'x': shares('x', titles[0]),
                'y': shares('y', titles[1]),
                'order': {'value': 0},
            },
        }
        for curve, (colour, dash) in reversed(styled)
    ]


def _key(
    curves: Sequence[Curve], start: Point, direction: int, titles: tuple[str, str]
) -> list[Spec]:
    """Say which curve is which, from a corner upwards (1) or downwards (-1)."""
    layers: list[Spec] = []
    order = list(zip(curves, STYLES))
    for row, (curve, (colour, dash)) in enumerate(order[::-direction]):
        y = start.y + direction * row * 0.085
        layers += [
            {
                'data': {'values': [{'x': start.x, 'y': y}, {'x': start.x + 0.09, 'y': y}]},
                'mark': {'type': 'line', 'color': colour, 'strokeDash': dash},
                'encoding': {'x': shares('x', titles[0]), 'y': shares('y', titles[1])},
            },
            _text(Point(start.x + 0.12, y), curve.name, INK, titles),
        ]
    return layers


def _guide(points: Sequence[Point], titles: tuple[str, str]) -> Spec:
    return {
        'data': {'values': [point._asdict() for point in points]},
        'mark': {'type': 'line', 'color': MUTED, 'strokeDash': [2, 4], 'strokeWidth': 1},
        'encoding': {'x': shares('x', titles[0]), 'y': shares('y', titles[1])},
    }


def _text(
    at: Point,
    text: str,
    colour: str,
    titles: tuple[str, str],
    *,
    dy: int = 0,
    align: str = 'left',
) -> Spec:
    dx = {'left': 8, 'right': -8}[align] if dy else 0
    mark = {'type': 'text', 'text': text, 'color': colour, 'align': align, 'dx': dx, 'dy': dy}
    return {**_at(at, titles), 'mark': mark}


def _at(point: Point, titles: tuple[str, str]) -> Spec:
    return {
        'data': {'values': [point._asdict()]},
        'encoding': {'x': shares('x', titles[0]), 'y': shares('y', titles[1])},
    }
