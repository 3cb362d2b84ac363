"""The charts of a report about the model, but for its curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from components.evaluator.metric_table import Interval
from components.evaluator.score_details import ScoreDetails
from pipeline.report import measures
from pipeline.report.curves import shares
from pipeline.report.vega import ACCENT, MUTED, OTHER, Spec, draw

_SCORE_BINS = 20


class Slice(NamedTuple):
    """The accuracy on some of the examples: what they are called, and how many."""

    name: str
    accuracy: Interval
    examples: int


def draw_scores(details: ScoreDetails, labels: tuple[str, str], name: str) -> Markup:
    """Draw how the candidate's scores spread, positives upwards, negatives downwards."""
    up = measures.coarser(details.candidate.positive, _SCORE_BINS)
    down = measures.coarser(details.candidate.negative, _SCORE_BINS)
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
        'scale': {'domain': [-1.25 * most, 1.25 * most], 'nice': False},
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
            'y2': {'datum': 0},
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
        said(0.02, 1.14, f'{labels[1]}, wrong', OTHER, 'left'),
        said(0.98, 1.14, f'{labels[1]}, right', ACCENT, 'right'),
        said(0.02, -1.14, f'{labels[0]}, right', ACCENT, 'left'),
        said(0.98, -1.14, f'{labels[0]}, wrong', OTHER, 'right'),
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
        'axis': {'titleX': -52, 'grid': False},
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
    # Their names, beside the last points, keep apart even where the points do not.
    higher = 'train' if train[-1] > val[-1] else 'val'
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
                    'type': 'text',
                    'text': label,
                    'color': colour,
                    'align': 'left',
                    'dx': 8,
                    'dy': -7 if label == higher else 7,
                },
                'encoding': {'x': x, 'y': y},
            },
        ]
    return draw({'layer': layers}, name)
