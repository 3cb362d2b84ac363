"""Shows how much each n-gram contributes to the score of a text."""

from __future__ import annotations

import math

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.common.decision_threshold import DEFAULT_THRESHOLD, format_threshold
from components.common.features import CONTRIBUTIONS_KEY
from pipeline.predict.model import Explanation, Score

_SHOWN = 8
_BAR_WIDTH = 24
_STYLES = {True: 'bold green', False: 'bold red'}


def explanation_json(explanation: Explanation) -> dict[str, object]:
    """Return an explanation as JSON values."""
    return {
        'bias': explanation.bias,
        CONTRIBUTIONS_KEY: [
            {'ngram': ngram, 'contribution': value} for ngram, value in explanation.parts
        ],
    }


def show_explanation(
    console: Console,
    text: str,
    score: Score,
    explanation: Explanation,
    labels: tuple[str, str],
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> None:
    """Print a text, its score, and the sum of the contributions of its n-grams."""
    probability = float(score.probability)
    above = ''
    if threshold != DEFAULT_THRESHOLD:
        # The sign of the logit does not tell the label.
        logit = math.log(threshold / (1 - threshold))
        above = f'; predicted above {format_threshold(threshold)}, that is a logit of {logit:+.3f}'
    head = Text.assemble(
        (score.label, _STYLES[score.label == labels[1]]),
        f'  {probability:.4f}',
        (f'  (probability of {labels[1]!r}{above})', 'dim'),
    )
    console.print(Group(head, Text(text), _table_of_sums(explanation, labels), ''))


def _table_of_sums(explanation: Explanation, labels: tuple[str, str]) -> RenderableType:
    shown, others = explanation.parts[:_SHOWN], explanation.parts[_SHOWN:]
    largest = max([abs(value) for _, value in shown], default=1.0) or 1.0
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    table.add_column(justify='right', no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True)
    for ngram, value in shown:
        bar = '█' * max(1, round(_BAR_WIDTH * abs(value) / largest))
        style = _STYLES[value > 0]
        table.add_row(Text(f'{value:+.3f}', style), Text(ngram), Text(bar, style.split()[1]))
    if others:
        rest = math.fsum(value for _, value in others)
        table.add_row(Text(f'{rest:+.3f}'), Text(f'{len(others):,} more', 'dim'), '')
    table.add_row(
        Text(f'{explanation.bias:+.3f}'), Text('bias: the logit of a text without words', 'dim'), ''
    )
    total = math.fsum([explanation.bias, *(value for _, value in explanation.parts)])
    table.add_row(
        Text(f'{total:+.3f}', 'bold'),
        Text(f'the logit; + is for {labels[1]!r}, - for {labels[0]!r}', 'dim'),
        '',
    )
    return table
