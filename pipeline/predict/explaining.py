"""Shows how much each n-gram contributes to the score of a text."""

from __future__ import annotations

import math
import re

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.common.features import CONTRIBUTIONS_KEY
from pipeline.predict.model import Explanation, Score

_SHOWN = 8
_BAR_WIDTH = 24
_STYLES = {True: 'bold green', False: 'bold red'}
# Characters that the tokenizer drops within a word, and between words.
_WITHIN = r'[!-/:-@\[-`{-~\u2019]*'
_BETWEEN = r"(?:\s|\x00|['\u2019]|<br\s*/?>)*"


def explanation_json(explanation: Explanation) -> dict[str, object]:
    """Return an explanation as JSON values."""
    return {
        'bias': explanation.bias,
        CONTRIBUTIONS_KEY: [
            {'ngram': ngram, 'contribution': value} for ngram, value in explanation.parts
        ],
    }


def show_explanation(
    console: Console, text: str, score: Score, explanation: Explanation, labels: tuple[str, str]
) -> None:
    """Print a text with its main n-grams marked, and the sum of their contributions."""
    probability = float(score.probability)
    head = Text.assemble(
        (score.label, _STYLES[score.label == labels[1]]),
        f'  {probability:.4f}',
        (f'  (probability of {labels[1]!r})', 'dim'),
    )
    console.print(Group(head, mark(text, explanation), _table_of_sums(explanation, labels), ''))


def mark(text: str, explanation: Explanation) -> Text:
    """Return the text, in which the n-grams with the largest contributions are styled."""
    weights = [0.0] * len(text)
    for ngram, value in explanation.parts[:_SHOWN]:
        for match in pattern_of(ngram).finditer(text):
            for place in range(*match.span()):
                weights[place] += value
    marked = Text(text, style='not bold')
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or _sign(weights[end]) != _sign(weights[start]):
            if weights[start]:
                marked.stylize(f'{_STYLES[weights[start] > 0]} underline', start, end)
            start = end
    return marked


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def pattern_of(ngram: str) -> re.Pattern[str]:
    """Return a pattern that finds an n-gram in a text before tokenization.

    >>> pattern_of("dont like").findall("I don't   LIKE it; dont liken it")
    ["don't   LIKE"]
    """
    words = []
    for word in ngram.split():
        inner = _WITHIN.join(map(re.escape, word))
        # Letters match whole words only; punctuation may be next to any character.
        before = r'(?<![^\W_])' if _is_letter(word[0]) else ''
        after = r'(?![^\W_])' if _is_letter(word[-1]) else ''
        words.append(f'{before}{inner}{after}')
    return re.compile(_BETWEEN.join(words), re.IGNORECASE)


def _is_letter(character: str) -> bool:
    # Only scripts with upper case, and digits, always have spaces between words.
    return character.isdigit() or character.lower() != character.upper()


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
    table.add_row(Text(f'{explanation.bias:+.3f}'), Text('a text without a word', 'dim'), '')
    total = math.fsum([explanation.bias, *(value for _, value in explanation.parts)])
    table.add_row(
        Text(f'{total:+.3f}', 'bold'),
        Text(f'the logit; + is for {labels[1]!r}, - for {labels[0]!r}', 'dim'),
        '',
    )
    return table
