from __future__ import annotations

import doctest
import os
import re
import string
import subprocess
import sys
from collections.abc import Callable, Sequence

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.transform import text

GOLDEN: list[tuple[str | bytes, list[str]]] = [
    ('', []),
    (' \t\r\n', []),
    ('?!... --- "\'" $%&', []),
    ('<br />', []),
    ('Good<br>bad<br/>ugly<BR />fine<Br\n/>end', ['good', 'bad', 'ugly', 'fine', 'end']),
    ('<b>bold</b> 3.5 < br>', ['bboldb', '35', 'br']),
    ("It's GOOD, isn't it? Well-made; a_b", ['its', 'good', 'isnt', 'it', 'wellmade', 'ab']),
    ('a\tb\nc\r\nd  e', ['a', 'b', 'c', 'd', 'e']),
    ('IŞIL ışıl İyi', ['işil', 'ışıl', 'i\u0307yi']),
    ('Straße GROẞ ÄÖÜ', ['straße', 'groß', 'äöü']),
    ('ПРИВЕТ, Мир!', ['привет', 'мир']),
    ('ΟΔΟΣ Σοφία', ['οδος', 'σοφία']),
    ('ÍNDICE Ìì', ['índice', 'ìì']),
    ('Great 🎬😀!', ['great', '🎬😀']),
    ('最高の映画 Ａ', ['最高の映画', 'ａ']),
    ('don’t “quote”', ['don’t', '“quote”']),
    (b'bad \xff\xfe byte\xc3', ['bad', '\ufffd\ufffd', 'byte\ufffd']),
    ('before\x00after', ['before', 'after']),
    ('no\u00a0break\u3000wide\u2028line', ['no', 'break', 'wide', 'line']),
    ('Film. ' * 100_000, ['film'] * 100_000),
    ('x' * 1_000_000, ['x' * 1_000_000]),
]
TEXTS = [given.encode() if isinstance(given, str) else given for given, _ in GOLDEN]


def words(rows: tf.RaggedTensor) -> list[list[str]]:
    return [[word.decode() for word in row] for row in rows.to_list()]


def in_batches(texts: Sequence[bytes]) -> list[list[str]]:
    batches = tf.data.Dataset.from_tensor_slices(list(texts)).batch(3).map(text.tokenize)
    return [row for batch in batches for row in words(batch)]


def in_a_graph(texts: Sequence[bytes]) -> list[list[str]]:
    signature = [tf.TensorSpec([None], tf.string)]
    return words(tf.function(text.tokenize, input_signature=signature)(tf.constant(texts)))


def one_by_one(texts: Sequence[bytes]) -> list[list[str]]:
    return [words(text.tokenize(tf.constant([given])))[0] for given in texts]


@pytest.mark.parametrize(
    ('given', 'expected'),
    [(given, expected) for given, (_, expected) in zip(TEXTS, GOLDEN)],
    ids=lambda value: repr(value)[:40],
)
def test_words_are_as_listed_when_a_text_is_tokenized(given: bytes, expected: list[str]) -> None:
    assert words(text.tokenize(tf.constant([given]))) == [expected]


@pytest.mark.parametrize('tokenize', [in_batches, in_a_graph, one_by_one])
def test_words_are_the_same_when_the_way_of_the_call_differs(
    tokenize: Callable[[Sequence[bytes]], list[list[str]]],
) -> None:
    assert tokenize(TEXTS) == words(text.tokenize(tf.constant(TEXTS)))


def test_result_has_no_rows_when_the_batch_is_empty() -> None:
    assert text.tokenize(tf.constant([], tf.string)).to_list() == []


def test_words_are_the_same_when_the_locale_is_another() -> None:
    """ICU takes the language of the process for its own: with Turkish, I becomes ı."""
    code = (
        'import sys, tensorflow as tf; from components.transform import text; '
        'sys.stdout.buffer.write(text.normalize(tf.constant([sys.argv[1]])).numpy()[0])'
    )
    given = 'I LIKE IT. İyi ÌÍĨ'
    processes = {
        language: subprocess.Popen(
            [sys.executable, '-c', code, given],
            stdout=subprocess.PIPE,
            env={**os.environ, 'LANG': language, 'LC_ALL': language, 'PYTHONUTF8': '1'},
        )
        for language in ('tr_TR.UTF-8', 'lt_LT.UTF-8')
    }
    found = {language: p.communicate()[0].decode() for language, p in processes.items()}
    assert found == dict.fromkeys(processes, 'i like it i\u0307yi ìíĩ')


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(strategies.lists(strategies.text('aZ9 \t\n<br/>BR.\'"-_[]^\\~', max_size=30)))
def test_words_are_those_of_plain_python_when_texts_are_ascii(texts: list[str]) -> None:
    punctuation = f'[{re.escape(string.punctuation)}]'
    expected = [
        re.sub(punctuation, '', re.sub(r'<br\s*/?>', ' ', given.lower())).split() for given in texts
    ]
    assert words(text.tokenize(tf.constant(texts, tf.string))) == expected


def test_examples_in_the_docstring_hold_when_they_are_run() -> None:
    # A text, and what each way to treat its punctuation makes of it.
    assert doctest.testmod(text) == (0, 4)
