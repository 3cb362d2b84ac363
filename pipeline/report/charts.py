"""The charts of a report about the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from components.evaluator.examined import Examined, Histogram
from pipeline.report import measures
from pipeline.report.measures import Bin, Interval, Point
from pipeline.report.vega import ACCENT, INK, LINE, MUTED, OTHER, Spec, draw

_SCORE_BINS = 20
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)
# Told apart by their dashes, too.
STYLES: tuple[tuple[str, list[int]], ...] = (
    (ACCENT, []),
    (OTHER, [6, 4]),
    (INK, [2, 4]),
    (MUTED, [10, 3, 2, 3]),
)


class Curve(NamedTuple):
    """A curve of a chart: what it is called there, and its points."""

    name: str
    points: Sequence[Point]


class Slice(NamedTuple):
    """The accuracy on some of the examples: what they are called, and how many."""

    name: str
    accuracy: Interval
    examples: int


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
        'axis': {'values': list(values), 'format': '~g', **axis},
    }


def draw_roc(curves: Sequence[Curve], at_half: Point | None, name: str) -> Markup:
    """Draw ROC curves; `at_half` is where a model is that decides at one half."""
    return _draw_curves(
        curves,
        ('false positive rate', 'true positive rate'),
        [Point(0, 0), Point(1, 1)],
        at_half,
        Point(0.42, 0.06),
        name,
    )


def draw_precision_recall(
    curves: Sequence[Curve], base: float, at_half: Point | None, name: str
) -> Markup:
    """Draw curves of precision over recall; `base` is the precision of a guess."""
    return _draw_curves(
        curves,
        ('recall', 'precision'),
        [Point(0, base), Point(1, base)],
        at_half,
        Point(0.04, 0.06),
        name,
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
        _text(Point(0.03, 0.12), 'below the line: too sure', MUTED, (x, y), dx=150),
        *_lines(lines, (x, y)),
        spans,
        dots,
        *(_key(lines, Point(0.04, 0.94), -1, (x, y)) if len(lines) > 1 else []),
    ]
    del layers[1]
    return draw({'layer': layers}, name)


def draw_scores(examined: Examined, labels: tuple[str, str], name: str) -> Markup:
    """Draw how the candidate's scores spread, positives upwards, negatives downwards."""
    up = measures.coarser(examined.candidate.positive, _SCORE_BINS)
    down = measures.coarser(examined.candidate.negative, _SCORE_BINS)
    half = _SCORE_BINS // 2
    values = []
    for index in range(_SCORE_BINS):
        low, high = index / _SCORE_BINS, (index + 1) / _SCORE_BINS
        for sign, label, counts in ((1, labels[1], up), (-1, labels[0], down)):
            wrong = (sign > 0) == (index < half)
            values.append(
                {
                    'x': low + 0.004,
                    'x2': high - 0.004,
                    'y': sign * counts[index],
                    'wrong': wrong,
                    'told': f'{counts[index]:,} {label} reviews scored {low:.2f} to {high:.2f}'
                    + (': wrong' if wrong else ''),
                }
            )
    most = max(*up, *down, 1)
    y: Spec = {
        'field': 'y',
        'type': 'quantitative',
        'title': 'reviews',
        'scale': {'domain': [-1.2 * most, 1.2 * most], 'nice': False},
        'axis': {'format': ',d', 'labelExpr': "format(abs(datum.value), ',d')", 'tickCount': 5},
    }
    titles = ('probability of ' + labels[1], 'reviews')
    bars: Spec = {
        'data': {'values': values},
        'mark': {'type': 'bar', 'aria': True},
        'encoding': {
            'x': shares('x', titles[0]),
            'x2': {'field': 'x2'},
            'y': y,
            'color': {
                'field': 'wrong',
                'type': 'nominal',
                'scale': {'domain': [False, True], 'range': [ACCENT, OTHER]},
                'legend': None,
            },
            'description': {'field': 'told'},
        },
    }

    def said(x: float, share: float, text: str, colour: str, align: str) -> Spec:
        return {
            'data': {'values': [{'x': x, 'y': share * most}]},
            'mark': {'type': 'text', 'text': text, 'color': colour, 'align': align},
            'encoding': {'x': shares('x', titles[0]), 'y': y},
        }

    middle: Spec = {
        'data': {'values': [{'x': 0.5}]},
        'mark': {'type': 'rule', 'color': MUTED, 'strokeDash': [2, 4]},
        'encoding': {'x': shares('x', titles[0])},
    }
    zero: Spec = {
        'data': {'values': [{'y': 0}]},
        'mark': {'type': 'rule', 'color': MUTED},
        'encoding': {'y': y},
    }
    layers = [
        bars,
        middle,
        zero,
        said(0.02, 1.1, f'{labels[1]}, wrong', OTHER, 'left'),
        said(0.98, 1.1, f'{labels[1]}, right', ACCENT, 'right'),
        said(0.02, -1.1, f'{labels[0]}, right', ACCENT, 'left'),
        said(0.98, -1.1, f'{labels[0]}, wrong', OTHER, 'right'),
    ]
    return draw({'layer': layers}, name)


def draw_slices(slices: Sequence[Slice], overall: float, name: str) -> Markup:
    """Draw the accuracy of each slice with its 95% interval, and that of all as a line."""
    low = min([part.accuracy.low for part in slices] + [overall])
    low = max(0.0, int(low * 10) / 10)
    ticks = [low + step * (1 - low) / 4 for step in range(5)]
    values = [
        {
            'slice': part.name,
            'x': part.accuracy.share,
            'low': part.accuracy.low,
            'high': part.accuracy.high,
            'told': f'{part.name}: {part.accuracy.share:.4f} '
            f'({part.accuracy.low:.4f} to {part.accuracy.high:.4f}), {part.examples:,} reviews',
        }
        for part in slices
    ]
    y: Spec = {
        'field': 'slice',
        'type': 'nominal',
        'title': 'words in the review',
        'sort': [part.name for part in slices],
        'axis': {'titleX': -60, 'grid': False},
    }
    x = shares('x', 'accuracy', ticks, low=low, format='.3~f')
    layers: list[Spec] = [
        {
            'data': {'values': [{'x': overall}]},
            'mark': {'type': 'rule', 'color': MUTED, 'strokeDash': [2, 4]},
            'encoding': {'x': x},
        },
        {
            'data': {'values': values},
            'mark': {'type': 'rule', 'color': ACCENT, 'strokeWidth': 2},
            'encoding': {'y': y, 'x': {**x, 'field': 'low'}, 'x2': {'field': 'high'}},
        },
        {
            'data': {'values': values},
            'mark': {'type': 'circle', 'color': ACCENT, 'size': 64, 'opacity': 1, 'aria': True},
            'encoding': {'y': y, 'x': x, 'description': {'field': 'told'}},
        },
    ]
    return draw({'layer': layers}, name, height=72 + 32 * len(slices))


def draw_learning(train: Sequence[float], val: Sequence[float], metric: str, name: str) -> Markup:
    """Draw how a metric went, epoch by epoch."""
    epochs = len(train)
    x: Spec = {
        'field': 'x',
        'type': 'quantitative',
        'title': 'epoch',
        'scale': {'domain': [1, epochs * 1.0 + max(1, epochs - 1) * 0.16], 'nice': False},
        'axis': {'values': list(range(1, epochs + 1, max(1, epochs // 10))), 'grid': False},
    }
    y: Spec = {
        'field': 'y',
        'type': 'quantitative',
        'title': metric,
        'scale': {'zero': False},
        'axis': {'tickCount': 5, 'format': '.3~f'},
    }
    layers: list[Spec] = []
    for label, values, colour, dash in (
        ('train', train, MUTED, [6, 4]),
        ('val', val, ACCENT, []),
    ):
        points = [
            {'x': epoch, 'y': value, 'told': f'epoch {epoch}, {label}: {metric} {value:.4f}'}
            for epoch, value in enumerate(values, start=1)
        ]
        layers += [
            {
                'data': {'values': points},
                'mark': {'type': 'line', 'color': colour, 'strokeDash': dash},
                'encoding': {'x': x, 'y': y},
            },
            {
                'data': {'values': points},
                'mark': {'type': 'circle', 'color': colour, 'size': 36, 'opacity': 1, 'aria': True},
                'encoding': {'x': x, 'y': y, 'description': {'field': 'told'}},
            },
            {
                'data': {'values': points[-1:]},
                'mark': {
                    'type': 'text', 'text': label, 'color': colour, 'align': 'left', 'dx': 8
                },
                'encoding': {'x': x, 'y': y},
            },
        ]
    return draw({'layer': layers}, name)


def _draw_curves(
    curves: Sequence[Curve],
    titles: tuple[str, str],
    guide: Sequence[Point],
    at_half: Point | None,
    key_at: Point,
    name: str,
) -> Markup:
    layers = [_guide(guide, titles), *_lines(curves, titles)]
    if at_half is not None:
        layers += [
            {
                **_at(at_half, titles),
                'mark': {'type': 'circle', 'color': ACCENT, 'size': 64, 'opacity': 1},
            },
            _text(at_half, 'at one half', INK, titles, dx=8, dy=14),
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
    at: Point, text: str, colour: str, titles: tuple[str, str], *, dx: int = 0, dy: int = 0
) -> Spec:
    mark = {'type': 'text', 'text': text, 'color': colour, 'align': 'left', 'dx': dx, 'dy': dy}
    return {**_at(at, titles), 'mark': mark}


def _at(point: Point, titles: tuple[str, str]) -> Spec:
    return {
        'data': {'values': [point._asdict()]},
        'encoding': {'x': shares('x', titles[0]), 'y': shares('y', titles[1])},
    }
