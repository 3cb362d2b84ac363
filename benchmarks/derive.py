"""Derives other tasks from film reviews: other lengths, sizes, label shares and scripts."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.recombine import SENTENCE_END, WORD

LONG_WORDS = 20_000
SHORT_CHARACTERS = 2

_LINE_BREAK = re.compile(r'<br\s*/?>')
_SPACES = re.compile(r'\s+')

# One Cyrillic letter for each Latin one, in both cases.
_CYRILLIC = str.maketrans(
    {
        **{letter: chr(0x430 + i) for i, letter in enumerate(string.ascii_lowercase)},
        **{letter: chr(0x410 + i) for i, letter in enumerate(string.ascii_uppercase)},
    }
)
_IDEOGRAPHS = str.maketrans(
    {letter: chr(0x4E00 + i) for i, letter in enumerate(string.ascii_lowercase)}
)


def plain(text: str) -> str:
    r"""Replace `<br />` tags by line breaks.

    >>> plain('Good.<br /><br />Bad.')
    'Good.\n\nBad.'
    """
    return _LINE_BREAK.sub('\n', text)


def last_sentence(text: str) -> str:
    """Return the last sentence that has a word; the whole text if there is none.

    >>> last_sentence('It is long. Too long!<br />10 of 10! :)')
    '10 of 10!'
    """
    sentences = SENTENCE_END.split(plain(text))
    return next((part for part in reversed(sentences) if WORD.search(part)), text).strip()


def cyrillic(text: str) -> str:
    r"""Replace each Latin letter by a Cyrillic one of the same case.

    >>> ascii(cyrillic('Bad.'))
    "'\\u0411\\u0430\\u0433.'"
    """
    return plain(text).translate(_CYRILLIC)


def without_spaces(text: str) -> str:
    """Replace each Latin letter by a Chinese character, and remove all spaces.

    >>> without_spaces('A bad, bad cab.')
    '一丁一七,丁一七丂一丁.'
    """
    return _SPACES.sub('', plain(text).lower().translate(_IDEOGRAPHS))


def uneven(text: str) -> str:
    """Cut a text of even length to 2 characters, and repeat others up to 20,000 words.

    >>> uneven('even'), uneven('odd')[:11], len(uneven('odd').split())
    ('ev', 'odd odd odd', 20000)
    """
    if len(text) % 2 == 0:
        return text[:SHORT_CHARACTERS]
    words = plain(text).split()
    times = -(-LONG_WORDS // max(1, len(words)))
    return ' '.join((words * times)[:LONG_WORDS])


class Task(NamedTuple):
    """A task.

    Attributes:
        title: Name in the table.
        change: Function that is applied to each text.
        training: Largest number of texts to train on.
        held_out: Largest number of texts to evaluate on.
        one_in: One text in this many is positive.
        without_spaces: Whether the texts have no spaces between words.
    """

    title: str
    change: Callable[[str], str] = plain
    training: int = 10_000
    held_out: int = 5_000
    one_in: int = 2
    without_spaces: bool = False


TASKS: Mapping[str, Task] = {
    'reviews': Task('reviews as they are'),
    'last-sentence': Task('the last sentence of each', last_sentence),
    'few': Task('1,000 reviews', training=1_000),
    'few-last-sentence': Task('1,000 last sentences', last_sentence, training=1_000),
    'unbalanced': Task('one positive in 20', one_in=20),
    'cyrillic': Task('in Cyrillic letters', cyrillic),
    'without-spaces': Task('in Chinese letters, no spaces', without_spaces, without_spaces=True),
    'uneven': Task('2 characters or 20,000 words', uneven, training=400, held_out=400),
}


def draw(labels: Sequence[int], wanted: int, one_in: int, seed: int) -> list[int]:
    """Draw examples with a given share of positives.

    Args:
        labels: 0 or 1.
        wanted: Number of examples; fewer if there are not enough of one label.
        one_in: One example in this many is positive; 2 for balanced labels.
        seed: Seed of the draw.

    Returns:
        Positions in `labels`, in random order.

    >>> labels = [0, 1] * 38
    >>> drawn = draw(labels, wanted=100, one_in=20, seed=1)
    >>> len(drawn), len(set(drawn)), sum(labels[place] for place in drawn)
    (40, 40, 2)
    """
    rng = random.Random(seed)
    places = [[i for i, other in enumerate(labels) if other == label] for label in (0, 1)]
    positives = min(wanted // one_in, len(places[1]), len(places[0]) // (one_in - 1))
    drawn = rng.sample(places[1], positives) + rng.sample(places[0], positives * (one_in - 1))
    rng.shuffle(drawn)
    return drawn
