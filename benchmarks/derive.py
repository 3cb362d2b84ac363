"""Makes other tasks of film reviews: other lengths, sizes, shares of labels, letters.

Pure functions of texts and labels; the same arguments give the same result.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.recombine import SENTENCE_END, WORD
from components.common.errors import ConfigError

LONG_WORDS = 20_000
SHORT_CHARACTERS = 2

_LINE_BREAK = re.compile(r'<br\s*/?>')
_SPACES = re.compile(r'\s+')

# As many letters as the Latin alphabet has, in the same order; each has both cases.
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
    r"""Make line breaks of the tags that stand for them: their letters are no text.

    >>> plain('Good.<br /><br />Bad.')
    'Good.\n\nBad.'
    """
    return _LINE_BREAK.sub('\n', text)


def last_sentence(text: str) -> str:
    """Return the last sentence that has a word in it; of a text without one, all of it.

    >>> last_sentence('It is long. Too long!<br />10 of 10! :)')
    '10 of 10!'
    """
    sentences = SENTENCE_END.split(plain(text))
    return next((part for part in reversed(sentences) if WORD.search(part)), text).strip()


def cyrillic(text: str) -> str:
    r"""Put a Cyrillic letter for each Latin one, of the same case.

    >>> ascii(cyrillic('Bad.'))
    "'\\u0411\\u0430\\u0433.'"
    """
    return plain(text).translate(_CYRILLIC)


def without_spaces(text: str) -> str:
    """Put a Chinese letter for each Latin one, in lower case, and leave out what parts words.

    >>> without_spaces('A bad, bad cab.')
    '一丁一七,丁一七丂一丁.'
    """
    return _SPACES.sub('', plain(text).lower().translate(_IDEOGRAPHS))


def uneven(text: str) -> str:
    """Cut a text to 2 characters, or repeat it up to 20,000 words, by the parity of its length.

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
        title: What it is.
        change: What is done to each text.
        training: How many are learned from, at most.
        held_out: How many are measured on, at most.
        one_in: One text in so many is positive.
        without_spaces: No space parts words, so that only letters can be told apart.
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


def select(only: str = '') -> dict[str, Task]:
    """Return the tasks named, with commas between them; all if none is.

    Raises:
        ConfigError: There is none of that name.
    """
    names = [name.strip() for name in only.split(',')] if only else list(TASKS)
    for name in names:
        if name not in TASKS:
            hint = f'the tasks are {", ".join(TASKS)}'
            raise ConfigError(f'no task is called {name!r}', hint=hint)
    return {name: task for name, task in TASKS.items() if name in names}


def draw(labels: Sequence[int], wanted: int, one_in: int, seed: int) -> list[int]:
    """Draw so many examples, one in so many of which is positive.

    Args:
        labels: 0 or 1.
        wanted: How many; fewer if there are not enough of one label.
        one_in: 2 for balanced labels.
        seed: Of the draw and of the order.

    Returns:
        Their places in `labels`, in an order that tells nothing.

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
