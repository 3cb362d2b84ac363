"""The charts of a report about the data."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.statistics_gen.described import Split
from pipeline.report.curves import STYLES
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
    named = [split for split in splits if split.examples]
    most = max(count / split.examples for split in named for count in split.lengths)
    last = max(len(split.lengths) for split in named)
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
        'scale': {'domain': [0, most * 1.1], 'nice': False},
        'axis': {'format': '~%', 'tickCount': 4},
    }
    layers: list[Spec] = []
    for row, (split, (colour, dash)) in enumerate(zip(named, STYLES)):
        height = most * (1.04 - 0.09 * row)
        line = {'type': 'line', 'color': colour, 'strokeDash': dash}
        lengths = [
            {'x': 2 ** (index / 2 + 0.25), 'y': count / split.examples}
            for index, count in enumerate(split.lengths)
        ]
        # Which line is which: in the corner that short texts leave free.
        start, end = 2 ** (last * 0.01), 2 ** (last * 0.055)
        layers += [
            {
                'data': {'values': lengths},
                'mark': {**line, 'interpolate': 'monotone'},
                'encoding': {'x': x, 'y': y},
            },
            {
                'data': {'values': [{'x': start, 'y': height}, {'x': end, 'y': height}]},
                'mark': line,
                'encoding': {'x': x, 'y': y},
            },
            {
                'data': {'values': [{'x': end, 'y': height}]},
                'mark': {'type': 'text', 'text': split.name, 'align': 'left', 'dx': 6},
                'encoding': {'x': x, 'y': y},
            },
        ]
    return draw({'layer': layers}, name)
