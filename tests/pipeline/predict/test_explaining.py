from __future__ import annotations

import io

from rich.console import Console

from pipeline.predict.explaining import show_explanation
from pipeline.predict.model import Explanation, Score

WEAK = tuple((f'w{number}', 0.01) for number in range(8))
EXPLANATION = Explanation(-0.25, (('not good', -1.5), ('great', 1.0), *WEAK))
TEXT = 'It is not, not\n GOOD: [red]great[/red] <script>'


def show(text: str, explanation: Explanation, threshold: float = 0.5) -> str:
    out = io.StringIO()
    console = Console(file=out, highlight=False, width=100)
    score = Score('neg' if threshold > 0.4 else 'pos', '0.3208213')
    show_explanation(console, text, score, explanation, ('neg', 'pos'), threshold=threshold)
    return out.getvalue()


def test_contributions_add_up_to_the_logit_when_an_explanation_is_printed() -> None:
    lines = [' '.join(line.split()) for line in show(TEXT, EXPLANATION).splitlines()]
    assert lines[0] == "neg 0.3208 (probability of 'pos')"
    assert lines[1:3] == ['It is not, not', 'GOOD: [red]great[/red] <script>']
    assert lines[3].startswith('-1.500 not good ███')
    assert '+0.020 2 more' in lines
    assert '-0.250 bias: the logit of a text without words' in lines
    assert any(line.startswith('-0.670 the logit;') for line in lines)


def test_only_the_bias_is_printed_when_the_text_is_empty() -> None:
    assert '-0.250  bias: the logit of a text without words' in show('', Explanation(-0.25, ()))


def test_threshold_and_its_logit_are_printed_when_the_model_has_one() -> None:
    assert show('', EXPLANATION, threshold=0.3).splitlines()[0] == (
        "pos  0.3208  (probability of 'pos'; predicted above 0.3, that is a logit of -0.847)"
    )
