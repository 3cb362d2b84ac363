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

QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def share(field: str, title: str, values: Sequence[float] = QUARTERS, low: float = 0) -> Spec:
    """Return the encoding of a share between `low` and 1."""
    return number(field, title, (low, 1), values=list(values), format='.2~f')


def draw_curves(
    scores: Mapping[str, Histogram],
    at_threshold: tuple[Sequence[Point], Sequence[Point]] = ((), ()),
) -> dict[str, Markup]:
    """Draw the curves of one or more models.

    Args:
        scores: Histogram of the scores by name of the model.
        at_threshold: Points of the decision threshold on the first model's curves, at most
            one of each: false and true positive rate, and recall and precision.

    Returns:
        The charts by title, without those that the first model's scores do not
        determine.
    """
    first = next(iter(scores.values()))
    positives, negatives = sum(first.positive), sum(first.negative)
    charts = {}
    if positives and negatives:
        axes = share('x', 'false positive rate'), share('y', 'true positive rate')
        charts['ROC'] = _draw(
            {name: measures.roc(histogram) for name, histogram in scores.items()},
            axes,
            'ROC curve: true positive rate by false positive rate',
            guide=[(0, 0), (1, 1)],
            marks=[dots([point._asdict()], *axes, size=64) for point in at_threshold[0]],
            legend_at=(0.42, 0.06),
        )
        base = positives / (positives + negatives)
        axes = share('x', 'recall'), share('y', 'precision')
        charts['Precision and recall'] = _draw(
            {name: measures.precision_recall(histogram) for name, histogram in scores.items()},
            axes,
            'Precision by recall of all thresholds',
            guide=[(0, base), (1, base)],
            marks=[dots([point._asdict()], *axes, size=64) for point in at_threshold[1]],
            legend_at=(0.04, 0.06),
        )
    if positives or negatives:
        charts['Calibration'] = _draw_reliability(
            {name: measures.reliability(histogram) for name, histogram in scores.items()}
        )
    return charts


def _draw_reliability(bins: Mapping[str, Sequence[Bin]]) -> Markup:
    x, y = share('x', 'predicted probability'), share('y', 'observed share of positives')
    values = [
        {
            'x': part.predicted,
            'y': part.observed,
            'low': part.interval.low,
            'high': part.interval.high,
        }
        for part in next(iter(bins.values()))
    ]
    labelled = [
        {
            **value,
            'label': f'predicted {part.predicted:.2f}, observed {part.observed:.2f} '
            f'({part.interval.low:.2f} to {part.interval.high:.2f}), {part.examples:,} texts',
        }
        for value, part in zip(values, next(iter(bins.values())))
    ]
    rule = {'type': 'rule', 'color': ACCENT, 'strokeWidth': 1.5}
    return _draw(
        {
            name: [Point(part.predicted, part.observed) for part in parts]
            for name, parts in bins.items()
        },
        (x, y),
        'Observed share of positives by predicted probability, with 95% intervals',
        guide=[(0, 0), (1, 1)],
        marks=[
            layer(values, rule, x=x, y={**y, 'field': 'low'}, y2={'field': 'high'}),
            dots(labelled, x, y),
        ],
        legend_at=(0.04, 0.94),
        legend_step=-0.085,
    )


def _draw(
    curves: Mapping[str, Sequence[Point]],
    axes: tuple[Spec, Spec],
    name: str,
    *,
    guide: Sequence[tuple[float, float]],
    marks: Sequence[Spec],
    legend_at: tuple[float, float],
    legend_step: float = 0.085,
) -> Markup:
    styled = [(label, points, style) for (label, points), style in zip(curves.items(), STYLES)]
    layers = [
        line(guide, *axes, GUIDE, strokeWidth=1),
        # The first curve is on top.
        *(line(points, *axes, style) for _, points, style in reversed(styled)),
        *marks,
    ]
    if len(styled) > 1:
        # A legend that grows upwards starts with the last curve.
        for row, (label, _, style) in enumerate(styled[:: -1 if legend_step > 0 else 1]):
            start, height = legend_at[0], legend_at[1] + row * legend_step
            layers += [
                line([(start, height), (start + 0.09, height)], *axes, style),
                text((start + 0.12, height), label, *axes, color=INK),
            ]
    return draw(layers, name)
