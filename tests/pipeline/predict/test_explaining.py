from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.predict.explaining import explanation_json, mark, pattern_of, show_explanation
from pipeline.predict.model import Explanation, Score

WEAK = tuple((f'w{number}', 0.01) for number in range(8))
EXPLANATION = Explanation(-0.25, (('not good', -1.5), ('great', 1.0), *WEAK))
TEXT = 'It is not, not\n GOOD: [red]great[/red] <script>'


def show(text: str, explanation: Explanation) -> str:
    out = io.StringIO()
    console = Console(file=out, highlight=False, width=100)
    show_explanation(console, text, Score('neg', '0.3208213'), explanation, ('neg', 'pos'))
    return out.getvalue()


@pytest.mark.parametrize(
    ('ngram', 'text', 'found'),
    [
        ('good', 'Good, goods, good-bye GOOD', ['Good', 'good', 'GOOD']),
        ('dont like', "I don't <br />like; dont liken", ["don't <br />like"]),
        ('dont like', 'don’t  LIKE', ['don’t  LIKE']),
        ('good ! <', 'good! <b>', ['good! <']),
        ('wellmade', 'well-made', ['well-made']),
        ('最', '最高', ['最']),
        ('...', 'so...', ['...']),
        ('a … b', 'a b', []),
        ('é', 'Été É', ['É']),
    ],
)
def test_ngram_is_found_when_the_text_is_not_normalised(
    ngram: str, text: str, found: list[str]
) -> None:
    assert pattern_of(ngram).findall(text) == found


def test_words_are_marked_by_their_sign_when_a_text_is_explained() -> None:
    marked = mark(TEXT, EXPLANATION)
    assert marked.plain == TEXT
    spans = {marked.plain[span.start : span.end]: str(span.style) for span in marked.spans}
    assert spans == {'not\n GOOD': 'bold red underline', 'great': 'bold green underline'}


def test_contributions_add_up_to_the_logit_when_an_explanation_is_printed() -> None:
    lines = [' '.join(line.split()) for line in show(TEXT, EXPLANATION).splitlines()]
    assert lines[0] == "neg 0.3208 (probability of 'pos')"
    assert lines[1:3] == ['It is not, not', 'GOOD: [red]great[/red] <script>']
    assert lines[3].startswith('-1.500 not good ███')
    assert '+0.020 2 more' in lines
    assert '-0.250 a text without a word' in lines
    assert any(line.startswith('-0.670 the logit;') for line in lines)


def test_only_the_bias_is_printed_when_the_text_is_empty() -> None:
    assert '-0.250  a text without a word' in show('', Explanation(-0.25, ()))


def test_all_contributions_are_included_when_the_output_is_json() -> None:
    found = explanation_json(EXPLANATION)
    assert found['bias'] == -0.25
    assert found['contributions'][0] == {'ngram': 'not good', 'contribution': -1.5}  # type: ignore[index]
    assert len(found['contributions']) == 10  # type: ignore[arg-type]
