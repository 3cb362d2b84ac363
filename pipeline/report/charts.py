"""Draws the charts of scores, slices, training and data."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.text_statistics import SplitStatistics
from pipeline.report import measures
from pipeline.report.curves import share
from pipeline.report.vega import (
    ACCENT,
    INK,
    MUTED,
    OTHER,
    STYLES,
    Spec,
    Style,
    category,
    dots,
    dotted_line,
    draw,
    layer,
    line,
    number,
    text,
)

_SCORE_BINS = 20
_COLOUR: Spec = {'field': 'colour', 'type': 'nominal', 'scale': None, 'legend': None}
_WORD_TICKS = (1, 4, 16, 64, 256, 1024, 4096, 16384)


def draw_scores(details: ScoreDetails, labels: tuple[str, str], name: str) -> Markup:
    """Draw the histogram of the candidate's scores, positives up and negatives down."""
    up, down = (
        measures.coarser(counts, _SCORE_BINS)
        for counts in (details.candidate.positive, details.candidate.negative)
    )
    values = _score_bars(details, labels)
    most = max(*up, *down, 1)
    x = share('x', f'predicted probability of {labels[1]!r}')
    absolute = "format(abs(datum.value), ',d')"
    y = number(
        'y', 'texts', (-1.25 * most, 1.25 * most), format=',d', labelExpr=absolute, tickCount=5
    )
    ends = {'x2': {'field': 'x2'}, 'y2': {'field': 'y2'}}
    corners = [
        (0.02, 1.14, f'{labels[1]!r}, wrong', OTHER),
        (0.98, 1.14, f'{labels[1]!r}, right', ACCENT),
        (0.02, -1.14, f'{labels[0]!r}, right', ACCENT),
        (0.98, -1.14, f'{labels[0]!r}, wrong', OTHER),
    ]
    layers = [
        layer(values, {'type': 'bar'}, x=x, y=y, color=_COLOUR, **ends),
        dotted_line('x', details.threshold, x),
        layer([{'y': 0}], {'type': 'rule', 'color': MUTED}, y=y),
        *(
            text((at, height * most), label, x, y, color=colour,
                 align='left' if at < 0.5 else 'right')
            for at, height, label, colour in corners
        ),
    ]  # fmt: skip
    return draw(layers, name)


def _score_bars(details: ScoreDetails, labels: tuple[str, str]) -> list[Spec]:
    """Return the bars of the histogram; that of the threshold has a right and a wrong part."""
    scores = details.candidate
    fine = len(scores.positive) // _SCORE_BINS
    cut = round(details.threshold * len(scores.positive))
    values: list[Spec] = []
    for start in range(0, len(scores.positive), fine):
        end = start + fine
        low, high = start / len(scores.positive), end / len(scores.positive)
        middle = min(max(cut, start), end)
        below, above = slice(start, middle), slice(middle, end)
        for sign, label, counts, parts in (
            (1, labels[1], scores.positive, (above, below)),
            (-1, labels[0], scores.negative, (below, above)),
        ):
            base = 0
            for part, result, colour in zip(parts, ('right', 'wrong'), (ACCENT, OTHER)):
                if part.start == part.stop:
                    continue
                count = sum(counts[part])
                values.append(
                    {
                        'x': low + 0.004,
                        'x2': high - 0.004,
                        'y': base + sign * count,
                        'y2': base,
                        'colour': colour,
                        'label': f'{count:,} texts labelled {label!r} with scores from '
                        f'{low:.2f} to {high:.2f}: {result}',
                    }
                )
                base += sign * count
    return values


def draw_learning(train: Sequence[float], val: Sequence[float], metric: str, name: str) -> Markup:
    """Draw a metric on train and val by epoch."""
    epochs = len(train)
    ticks = list(range(1, epochs + 1, max(1, epochs // 10)))
    x = number('x', 'epoch', (1, epochs + max(1, epochs - 1) * 0.16), values=ticks, grid=False)
    y = number('y', metric, tickCount=5, format='.3~f')
    layers: list[Spec] = []
    # The labels beside the last points must not overlap.
    higher = 'train' if train[-1] > val[-1] else 'val'
    lines: tuple[tuple[str, Sequence[float], Style], ...] = (
        ('train', train, (MUTED, [6, 4])),
        ('val', val, (ACCENT, [])),
    )
    for label, values, style in lines:
        points = [
            {'x': epoch, 'y': value, 'label': f'epoch {epoch}, {label}: {metric} {value:.4f}'}
            for epoch, value in enumerate(values, start=1)
        ]
        layers += [
            line(enumerate(values, start=1), x, y, style),
            dots(points, x, y, style[0], size=36),
            text((epochs, values[-1]), label, x, y, color=style[0], dx=8,
                 dy=-7 if label == higher else 7),
        ]  # fmt: skip
    return draw(layers, name)


def draw_splits(splits: Sequence[SplitStatistics], labels: tuple[str, str], name: str) -> Markup:
    """Draw the number of examples of each label in each split."""
    values: list[Spec] = []
    for split in splits:
        parts = (
            (labels[1], split.positive or 0, ACCENT),
            (labels[0], split.negative or 0, OTHER),
            ('no label', split.examples if split.positive is None else 0, MUTED),
        )
        start = 0
        for label, count, colour in parts:
            if count:
                bar = {'split': split.name, 'x': start, 'x2': start + count, 'colour': colour}
                values.append({**bar, 'label': f'{split.name}: {count:,} texts, {label}'})
            start += count
    totals = [{'split': s.name, 'x': s.examples, 'total': f'{s.examples:,}'} for s in splits]
    most = max(split.examples for split in splits) or 1
    y = category('split', None, [s.name for s in splits], labelColor=INK, labelFontSize=12)
    x = {**number('x', None, (0, most * 1.2)), 'axis': None}
    layers = [
        layer(values, {'type': 'bar', 'height': 18}, y=y, x=x, x2={'field': 'x2'}, color=_COLOUR),
        layer(totals, {'type': 'text', 'align': 'left', 'dx': 6}, y=y, x=x,
              text={'field': 'total'}),
    ]  # fmt: skip
    return draw(layers, name, height=20 + 34 * len(splits))


def draw_lengths(splits: Sequence[SplitStatistics], name: str) -> Markup:
    """Draw the distribution of the number of words in each split."""
    named = [split for split in splits if split.examples]
    most = max(count / split.examples for split in named for count in split.lengths)
    last = max(len(split.lengths) for split in named)
    widest = 2 ** (last / 2)
    ticks = [tick for tick in _WORD_TICKS if tick <= widest]
    x = number('x', 'number of words (logarithmic)', (1, widest), values=ticks, format=',d')
    x['axis']['grid'] = False
    x['scale'] |= {'type': 'log', 'base': 2}
    y = number('y', 'share of the split', (0, most * 1.1), format='~%', tickCount=4)
    # The legend is in the upper left corner, because few texts are short.
    start, end = 2 ** (last * 0.01), 2 ** (last * 0.055)
    layers: list[Spec] = []
    for row, (split, style) in enumerate(zip(named, STYLES)):
        height = most * (1.04 - 0.09 * row)
        shares = (count / split.examples for count in split.lengths)
        lengths = [(2 ** (index / 2 + 0.25), part) for index, part in enumerate(shares)]
        layers += [
            line(lengths, x, y, style, interpolate='monotone'),
            line([(start, height), (end, height)], x, y, style),
            text((end, height), split.name, x, y, dx=6),
        ]
    return draw(layers, name)
