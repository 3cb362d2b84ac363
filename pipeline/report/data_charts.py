"""The charts of a report about the data."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.statistics_gen.described import Split
from pipeline.report.charts import STYLES
from pipeline.report.vega import ACCENT, INK, MUTED, OTHER, Spec, draw

_WORD_TICKS = (1, 4, 16, 64, 256, 1024, 4096, 16384)


def draw_splits(splits: Sequence[Split], labels: tuple[str, str], name: str) -> Markup:
    """Draw how many examples of each label are in each split."""
    values = []
    for split in splits:
        parts = (
            (labels[1], split.positive or 0, ACCENT),
            (labels[0], split.negative or 0, OTHER),
            ('no label', split.examples if split.positive is None else 0, MUTED),
        )
        start = 0
        for label, count, colour in parts:
            if count:
                values.append(
                    {
                        'split': split.name,
                        'x': start,
                        'x2': start + count,
                        'colour': colour,
                        'told': f'{split.name}: {count:,} reviews, {label}',
                    }
                )
            start += count
    totals = [
        {'split': split.name, 'x': split.examples, 'told': f'{split.examples:,}'}
        for split in splits
    ]
    most = max(split.examples for split in splits) or 1
    y: Spec = {
        'field': 'split',
        'type': 'nominal',
        'title': None,
        'sort': [split.name for split in splits],
        'axis': {'grid': False, 'labelColor': INK, 'labelFontSize': 12},
    }
    x: Spec = {
        'field': 'x',
        'type': 'quantitative',
        'title': None,
        'scale': {'domain': [0, most * 1.2], 'nice': False},
        'axis': None,
    }
    layers: list[Spec] = [
        {
            'data': {'values': values},
            'mark': {'type': 'bar', 'height': 18, 'aria': True},
            'encoding': {
                'y': y,
                'x': x,
                'x2': {'field': 'x2'},
                'color': {'field': 'colour', 'type': 'nominal', 'scale': None, 'legend': None},
                'description': {'field': 'told'},
            },
        },
        {
            'data': {'values': totals},
            'mark': {'type': 'text', 'align': 'left', 'dx': 6},
            'encoding': {'y': y, 'x': x, 'text': {'field': 'told'}},
        },
    ]
    return draw({'layer': layers}, name, height=20 + 34 * len(splits))


def draw_lengths(splits: Sequence[Split], name: str) -> Markup:
    """Draw how long the reviews of each split are, in words."""
    last = max((len(split.lengths) for split in splits), default=1)
    x: Spec = {
        'field': 'x',
        'type': 'quantitative',
        'title': 'words, logarithmic',
        'scale': {'type': 'log', 'base': 2, 'domain': [1, 2 ** (last / 2)], 'nice': False},
        'axis': {
            'values': [tick for tick in _WORD_TICKS if tick <= 2 ** (last / 2)],
            'format': ',d',
            'grid': False,
        },
    }
    y: Spec = {
        'field': 'y',
        'type': 'quantitative',
        'title': 'share of the split',
        'axis': {'format': '~%', 'tickCount': 4},
    }
    layers: list[Spec] = []
    named = [split for split in splits if split.examples]
    for row, (split, (colour, dash)) in enumerate(zip(named, STYLES)):
        values = [
            {'x': 2 ** (index / 2 + 0.25), 'y': count / split.examples}
            for index, count in enumerate(split.lengths)
        ]
        layers += [
            {
                'data': {'values': values},
                'mark': {
                    'type': 'line',
                    'color': colour,
                    'strokeDash': dash,
                    'interpolate': 'monotone',
                },
                'encoding': {'x': x, 'y': y},
            },
            {
                'data': {'values': [{}]},
                'encoding': {},
                'mark': {
                    'type': 'rule',
                    'color': colour,
                    'strokeDash': dash,
                    'strokeWidth': 2,
                    'x': 6,
                    'x2': 34,
                    'y': 8 + 18 * row,
                    'y2': 8 + 18 * row,
                },
            },
            {
                'data': {'values': [{}]},
                'encoding': {},
                'mark': {
                    'type': 'text', 'text': split.name, 'align': 'left', 'x': 42, 'y': 8 + 18 * row
                },
            },
        ]
    return draw({'layer': layers}, name)
