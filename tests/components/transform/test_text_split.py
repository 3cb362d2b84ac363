"""Punctuation as words."""

from __future__ import annotations

import pathlib
import string
import unicodedata
from collections import Counter

import hypothesis
import pytest
import tensorflow as tf
from hypothesis import strategies

from components.transform.text import normalize, tokenize
from components.transform.vocabulary import count_words, most_frequent, write_vocabulary
from tests.components.trainer.tiny import write_split

GOLDEN: list[tuple[str | bytes, list[str]]] = [
    ('', []),
    (' \t\r\n', []),
    ("'", []),
    ("'’''", []),
    ("It's GOOD, isn't it?", ['its', 'good', ',', 'isnt', 'it', '?']),
    ('don’t ‘quote’', ['dont', '‘', 'quote']),
    ("rock'n'roll 'twas", ['rocknroll', 'twas']),
    ('Well-made; a_b', ['well', '-', 'made', ';', 'a', '_', 'b']),
    ('No... way?! (yes)', ['no', '...', 'way', '?!', '(', 'yes', ')']),
    ('...', ['...']),
    ('8/10, 3.5', ['8', '/', '10', ',', '3', '.', '5']),
    ('a<br />b<br>c<BR/>d<Br\n/>e', ['a', 'b', 'c', 'd', 'e']),
    ('!<br /><br />!', ['!', '!']),
    ('<b>bold</b>', ['<', 'b', '>', 'bold', '</', 'b', '>']),
    ('Fin… «oui» ¿qué?', ['fin', '…', '«', 'oui', '»', '¿', 'qué', '?']),
    ('“Good”—bad–ugly', ['“', 'good', '”', '—', 'bad', '–', 'ugly']),
    ('……', ['…', '…']),
    ('好。坏、？！', ['好', '。', '坏', '、', '\uff1f', '\uff01']),
    ('最高の映画', ['最', '高', 'の', '映', '画']),
    ('スゴイ movie好', ['ス', 'ゴ', 'イ', 'movie', '好']),
    ('ดีมาก', [*'ดีมาก']),
    ('영화가 정말 좋다.', ['영화가', '정말', '좋다', '.']),
    ('ПРИВЕТ, Мир!', ['привет', ',', 'мир', '!']),
    ('ΟΔΟΣ Straße İyi', ['οδος', 'straße', 'i\u0307yi']),
    ('naïve ª º µ', ['naïve', 'ª', 'º', 'µ']),
    ('Great 🎬😀!', ['great', '🎬😀', '!']),
    (b'bad \xff\xfe byte\xc3', ['bad', '\ufffd\ufffd', 'byte\ufffd']),
    ('before\x00after', ['before', 'after']),
    ('no\u00a0break\u3000wide\u2028line', ['no', 'break', 'wide', 'line']),
    ('Film. ' * 20_000, ['film', '.'] * 20_000),
    ('!' * 100_000, ['!' * 100_000]),
]
TEXTS = [given.encode() if isinstance(given, str) else given for given, _ in GOLDEN]
PUNCTUATION = frozenset(string.punctuation)


def words(texts: list[bytes]) -> list[list[str]]:
    rows = tokenize(tf.constant(texts, tf.string), 'split').to_list()
    return [[word.decode() for word in row] for row in rows]


@pytest.mark.parametrize(
    ('given', 'expected'),
    [(given, expected) for given, (_, expected) in zip(TEXTS, GOLDEN)],
    ids=lambda value: repr(value)[:40],
)
def test_marks_are_words_when_a_text_is_split(given: bytes, expected: list[str]) -> None:
    assert words([given]) == [expected]


def test_words_are_the_same_when_traced_and_in_batches() -> None:
    expected = [row for _, row in GOLDEN]
    batches = tf.data.Dataset.from_tensor_slices(TEXTS).batch(4).map(lambda t: tokenize(t, 'split'))
    assert [[w.decode() for w in row] for b in batches for row in b.to_list()] == expected
    assert words(TEXTS) == expected


def test_result_has_no_rows_when_the_batch_is_empty() -> None:
    assert words([]) == []


@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(
    strategies.lists(
        strategies.one_of(
            strategies.text(max_size=30),
            strategies.text('aZ9é好の \t\n\u00a0\u3000\x00<br/>BR.\'’"-_[]^\\~…«»', max_size=30),
        ),
        max_size=4,
    )
)
def test_no_word_has_spaces_or_mixes_marks_with_letters_when_texts_are_random(
    texts: list[str],
) -> None:
    given = [text.encode('utf-8', 'replace') for text in texts]
    for row in words(given):
        for word in row:
            assert word
            assert not any(character in ' \t\n\r\v\f\x00' for character in word)
            assert not any(unicodedata.category(character) == 'Zs' for character in word)
            assert "'" not in word
            assert '’' not in word
            assert set(word) <= PUNCTUATION or not set(word) & PUNCTUATION


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(strategies.text('aZ9 \t\n<br/>BR.\'"-_[]^\\~', max_size=40))
def test_only_marks_are_added_when_compared_with_dropping_them(text: str) -> None:
    split = ''.join(words([text.encode()])[0])
    dropped = normalize(tf.constant([text])).numpy()[0].decode()
    assert [c for c in split if c not in PUNCTUATION] == [c for c in dropped if not c.isspace()]


COUNTS = Counter({b'film': 3, b'!': 3, b'good': 2, b'bad': 1})


@pytest.mark.parametrize(
    ('min_count', 'top_k', 'expected'),
    [
        (1, 9, [b'film', b'!', b'good', b'bad']),
        (2, 9, [b'film', b'!', b'good']),
        (3, 9, [b'film', b'!']),
        (3, 1, [b'film']),
        (4, 9, []),
    ],
)
def test_words_are_kept_when_they_occur_often_enough(
    min_count: int, top_k: int, expected: list[bytes], tmp_path: pathlib.Path
) -> None:
    assert most_frequent(COUNTS, top_k=top_k, min_count=min_count) == expected
    path = tmp_path / 'new' / 'words'
    write_vocabulary(COUNTS, str(path), top_k=top_k, min_count=min_count)
    # A table cannot be made from an empty file, so that a word stands in that no text has.
    assert path.read_bytes() == b''.join(word + b'\n' for word in expected or [b' '])


def test_marks_are_counted_when_they_are_words(tmp_path: pathlib.Path) -> None:
    write_split(tmp_path / 'train', [[('Good film!!', 1), ("It's good.", 1)], [('Good... .', 0)]])
    files = sorted(str(path) for path in (tmp_path / 'train').iterdir())
    assert count_words(files, 'split').words == {
        b'good': 3,
        b'film': 1,
        b'!!': 1,
        b'its': 1,
        b'.': 2,
        b'...': 1,
    }
    assert count_words(files) == ({b'good': 3, b'film': 1, b'its': 1}, 3)
