from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.readers.identity import digest, normalize, without_numbers, words, words_of
from components.readers.records import assign_split

TEXTS = st.text(alphabet=st.characters(blacklist_categories=('Cs',)))
SPACES = st.sampled_from([' ', '  ', '\n', '\t', '\r\n', '\u00a0', '\u3000', '<br />', '<BR>'])


def split_of(text: str) -> str:
    return assign_split(text, None, test_percent=50, val_percent=50, split_train=False)


@pytest.mark.parametrize(
    ('text', 'form'),
    [
        ('', ''),
        (' Good\n\tfilm ', 'good film'),
        ('GOOD FILM', 'good film'),
        ('Good<br />film<BR><br  / >', 'good film <br / >'),
        ('Good\u00a0\u200bfilm\ufeff', 'good film'),
        ('\uff27\uff2f\uff2f\uff24 \ufb01lm', 'good film'),
        ('Tre\u0300s', 'très'),
        ('Straße', 'strasse'),
        ('❤\ufe0f', '❤'),
        ('\x00a\x85b', 'a b'),
        ('\u2026' * 3, '.' * 9),
    ],
)
def test_form_is_equal_when_a_reader_sees_the_same(text: str, form: str) -> None:
    assert normalize(text) == form


def test_replacing_is_the_same_when_a_text_has_many_odd_characters() -> None:
    odd = [chr(code) for code in range(0x2600, 0x2640)]
    assert words('a ' + ' '.join(odd) + ' b_é') == 'abé'
    spaces = ''.join(map(chr, range(0x80, 0xA0)))
    assert normalize(f'a{spaces}b') == 'a b'


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('Great film!!!', 'great, film'),
        ('@anna great film', 'great film @bob'),
        ('great film https://a.example/x?y=1', 'GREAT FILM WWW.B.EXAMPLE'),
        ('great 😍 film', 'great film 😍😍'),
    ],
)
def test_words_are_equal_when_only_marks_mentions_and_links_differ(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)
    assert words(normalize(one)) == words(normalize(other))
    assert split_of(one) == split_of(other)


def test_words_differ_when_texts_are_emoji_or_numbers() -> None:
    assert len({words(normalize(text)) for text in ('😍', '😡', '!!', '??', '1/10', '9/10')}) == 6


@given(st.lists(TEXTS, min_size=1), st.data())
def test_split_is_the_same_when_texts_read_equal(parts: list[str], data: st.DataObject) -> None:
    one, other = (''.join(part + data.draw(SPACES) for part in parts) for _ in range(2))
    other = data.draw(SPACES) + other
    fold = data.draw(st.sampled_from(['NFC', 'NFD', 'NFKC', 'NFKD']))
    for text in (other, unicodedata.normalize(fold, one), one.lower(), one.casefold()):
        if normalize(text) == normalize(one):
            assert split_of(text) == split_of(one)


@given(TEXTS)
def test_form_is_equal_when_case_spaces_or_unicode_form_differ(text: str) -> None:
    # A tag that only normalization reveals is none.
    text = text.replace('<', '')
    form = normalize(text)
    assert normalize(f' {text}\n') == form
    assert normalize(text.casefold()) == form
    assert normalize(unicodedata.normalize('NFKC', text)) == form
    assert normalize(unicodedata.normalize('NFD', text)) == form
    assert len(digest(words(form).encode())) == 16


PIECES = st.lists(
    st.sampled_from(
        [
            *('aB7._->@:éİß٣😀 \n\x00\x7f\u200b'),
            *('//', 'http', 'WWW', '<br', '<BR>', '<br/>', '<br />', '<br  />', '<br\t>', '/>'),
        ]
    )
).map(''.join)


@given(PIECES | TEXTS)
def test_form_is_that_of_words_when_it_is_computed_from_bytes(text: str) -> None:
    form = words(normalize(text))
    assert words_of(text.encode()).decode() == form
    letters = ''.join(c for c in form if not re.fullmatch(r'\d', c)) or form
    assert without_numbers(form.encode()).decode() == letters


def test_form_is_computed_when_bytes_are_not_utf_8() -> None:
    assert words_of(b'A\xffb!') == b'ab'
