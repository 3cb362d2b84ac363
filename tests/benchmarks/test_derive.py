"""Derived texts and labels: scripts, lengths and shares of labels."""

from __future__ import annotations

import string
import unicodedata

import pytest

from benchmarks import derive
from benchmarks.derive import cyrillic, draw, last_sentence, uneven, without_spaces

TEXT = 'It isn\'t "GOOD", é?<br />Well-made, in 1999; 10/10!'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('One. Two.', 'Two.'),
        ('One.<br /><br />Two', 'Two'),
        ('One? Two! Three ... :-)', 'Three ...'),
        ('No end', 'No end'),
        ('Two. At 7.30 it ends. ', 'At 7.30 it ends.'),
        ('?!', '?!'),
        ('', ''),
    ],
)
def test_last_sentence_with_a_word_is_returned(text: str, expected: str) -> None:
    assert last_sentence(text) == expected


@pytest.mark.parametrize(
    ('change', 'letters', 'script'),
    [
        (cyrillic, string.ascii_letters, 'CYRILLIC'),
        (without_spaces, string.ascii_lowercase, 'CJK UNIFIED'),
    ],
)
def test_each_letter_maps_to_one_letter_of_the_other_script(
    change: derive.Callable[[str], str], letters: str, script: str
) -> None:
    partners = change(letters)
    assert len(set(partners)) == len(letters)
    assert all(unicodedata.name(partner).startswith(script) for partner in partners)


def test_cyrillic_keeps_case_marks_and_words_when_letters_change() -> None:
    back = {cyrillic(letter): letter for letter in string.ascii_letters}
    changed = cyrillic(TEXT)
    assert changed.lower() == cyrillic(TEXT.lower())
    assert not set(changed) & set(string.ascii_letters)
    assert ''.join(back.get(c, c) for c in changed) == derive.plain(TEXT)


def test_only_spaces_and_case_are_lost_when_a_script_has_no_spaces() -> None:
    back = {without_spaces(letter): letter for letter in string.ascii_lowercase}
    restored = ''.join(back.get(c, c) for c in without_spaces(TEXT))
    assert restored == ''.join(derive.plain(TEXT).lower().split())


@pytest.mark.parametrize('count', [1, 7, 230, 30_000])
def test_lengths_are_the_shortest_or_the_longest_by_parity(count: int) -> None:
    words = [f'word{number}' for number in range(count)]
    text = ' '.join(words)
    even, odd = (text + '!' * ((len(text) + parity) % 2) for parity in (0, 1))
    assert uneven(even) == 'wo'
    found = uneven(odd).split()
    assert len(found) == derive.LONG_WORDS
    assert [word.rstrip('!') for word in found] == [words[i % count] for i in range(len(found))]


@pytest.mark.parametrize(
    ('negatives', 'positives', 'wanted', 'one_in', 'expected'),
    [
        (500, 500, 400, 2, (200, 200)),
        (500, 500, 400, 20, (380, 20)),
        (500, 500, 4_000, 2, (500, 500)),
        (190, 500, 4_000, 20, (190, 10)),
        (500, 3, 4_000, 20, (57, 3)),
    ],
)
def test_drawn_labels_have_the_requested_shares(
    negatives: int, positives: int, wanted: int, one_in: int, expected: tuple[int, int]
) -> None:
    labels = [0] * negatives + [1] * positives
    drawn = draw(labels, wanted, one_in, seed=1)
    assert len(set(drawn)) == len(drawn)
    found = [labels[place] for place in drawn]
    assert (found.count(0), found.count(1)) == expected
    assert found != sorted(found)
    assert draw(labels, wanted, one_in, seed=1) == drawn
    assert draw(labels, wanted, one_in, seed=2) != drawn
