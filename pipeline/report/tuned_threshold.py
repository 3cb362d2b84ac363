"""Shows how a tuned decision threshold was found."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from components.common.decision_threshold import format_threshold
from components.trainer.threshold import TunedThreshold
from pipeline.report.curves import share
from pipeline.report.vega import (
    GUIDE,
    INK,
    STYLES,
    Spec,
    dots,
    dotted_line,
    draw,
    line,
    text,
)
from pipeline.report.view import Report


def tuned_threshold(report: Report) -> dict[str, Any] | None:
    """Return the chart of the aim by threshold; None if the threshold was not tuned."""
    tuned = report.tuned
    if tuned is None:
        return None
    sentence = (
        f'On {tuned.examples:,} texts of val, the threshold {format_threshold(tuned.threshold)} '
        f'has the best {tuned.aim.replace("_", " ")}: {tuned.describe_value()}.'
    )
    return {'sentence': sentence, 'chart': draw_tuned_threshold(tuned, sentence)}


def draw_tuned_threshold(tuned: TunedThreshold, name: str) -> Markup:
    """Draw the metric of the aim by threshold, with the precision if it is part of the aim."""
    metric, _, precision = tuned.aim.replace('_', ' ').partition(' at precision ')
    x, y = share('x', 'threshold'), share('y', f'{metric} on val')
    at = format_threshold(tuned.threshold)
    mark = {'x': tuned.threshold, 'y': tuned.value}
    layers = [
        dotted_line('x', tuned.threshold, x),
        line([(point.threshold, point.value) for point in tuned.curve], x, y),
        dots([{**mark, 'label': f'threshold {at}: {metric} {tuned.value:.4f}'}], x, y, size=64),
    ]
    if precision:
        points = [
            (point.threshold, point.precision)
            for point in tuned.curve
            if point.precision is not None
        ]
        bound = [(0.0, float(precision)), (1.0, float(precision))]
        layers = [line(bound, x, y, GUIDE, strokeWidth=1), line(points, x, y, STYLES[1]), *layers]
        layers += _legend((metric, 'precision'), x, y)
    return draw(layers, name)


def _legend(names: tuple[str, ...], x: Spec, y: Spec) -> list[Spec]:
    layers = []
    for row, (label, style) in enumerate(zip(names, STYLES)):
        height = 0.06 + 0.085 * row
        layers += [
            line([(0.62, height), (0.71, height)], x, y, style),
            text((0.74, height), label, x, y, color=INK),
        ]
    return layers
