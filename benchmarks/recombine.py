"""Makes a smaller or larger IMDB: `python -m benchmarks.recombine ARCHIVE FOLDER FACTOR`.

Below 1, a part of each label of each split. Above 1, all of it, and reviews put
together from sentences of several reviews of the same label and split. Sentences
alone would bring no new words, while real text always does: Heaps' law says that n
words hold K * n**beta distinct ones. So as much of what is rare is renamed as the
law, fitted to the real split, demands.

Memory holds one split of the archive, whatever the factor; rows are written as
they are made. The same arguments make the same files.
"""

from __future__ import annotations

import argparse
import collections
import csv
import dataclasses
import json
import math
import pathlib
import random
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from benchmarks.reviews import NAMES, Split, read_splits, shuffled

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
SENTENCE_END = re.compile(r'(?<=[.!?])\s+')
# Of the occurrences that are renamed, so many take up a form that was made before:
# otherwise every new word would occur once.
_REUSED_SHARE = 0.5
# So many more words count as rare than the law, on average, asks to be renamed: reviews differ.
_RARE_MARGIN = 2
_FIT_POINTS = 12
_SYLLABLES = [consonant + vowel for consonant in 'bdfgklmnprstvz' for vowel in 'aeiou']


class Heaps(NamedTuple):
    """Heaps' law: n words hold `k * n**beta` distinct ones."""

    k: float
    beta: float

    def distinct(self, words: float) -> float:
        """Return how many distinct words so many hold.

        >>> Heaps(10, 0.5).distinct(400)
        200.0
        """
        return float(self.k * words**self.beta)


@dataclasses.dataclass
class Made:
    """What was written for a split.

    Attributes:
        law: What the vocabulary was to follow.
        reviews: How many.
        words: All occurrences.
        distinct: How many different words, in lower case.
    """

    law: Heaps
    reviews: int = 0
    words: int = 0
    distinct: int = 0


class Sentence(NamedTuple):
    """A sentence.

    Attributes:
        text: As it is.
        words: How many.
        rare: Start and end of each rare word in it.
    """

    text: str
    words: int
    rare: tuple[tuple[int, int], ...]


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    >>> words_of("It's GOOD_enough.")
    ["it's", 'good', 'enough']
    """
    return WORD.findall(text.lower())


def fit_heaps(texts: Sequence[str]) -> Heaps:
    """Fit Heaps' law to texts whose order tells nothing.

    The exponent is the slope of log(distinct words) over log(words), by least
    squares over points that double; the factor makes the law exact at the end.

    Raises:
        ValueError: The texts hold no more than a handful of words.
    """
    seen: set[str] = set()
    curve = []
    total = 0
    for text in texts:
        words = words_of(text)
        total += len(words)
        seen.update(words)
        curve.append((total, len(seen)))
    points = {}
    for power in range(_FIT_POINTS):
        words_wanted = total / 2 ** (power / 2)
        point = next(point for point in curve if point[0] >= words_wanted)
        points[point[0]] = point
    logs = [(math.log(words), math.log(distinct)) for words, distinct in points.values()]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    if not spread:
        raise ValueError(f'{total} words are too few to fit a law to')
    beta = sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread
    return Heaps(len(seen) / total**beta, beta)


def new_form(number: int) -> str:
    """Return the made-up word with a number: three syllables or more, each word another.

    >>> new_form(0), new_form(1), new_form(70)
    ('bababa', 'bababe', 'babeba')
    """
    syllables: list[str] = []
    while number or len(syllables) < 3:
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    return ''.join(reversed(syllables))


class NewWords:
    """Hands out words that the split does not hold.

    Args:
        vocabulary: The words that it holds.
        rng: Decides which word is used again.
    """

    def __init__(self, vocabulary: set[str], rng: random.Random) -> None:
        self._vocabulary = vocabulary
        self._rng = rng
        self._next = 0
        self.made = 0

    def make(self) -> str:
        """Return one that was never handed out."""
        while new_form(self._next) in self._vocabulary:
            self._next += 1
        form = new_form(self._next)
        self._next += 1
        self.made += 1
        return form

    def again(self) -> str:
        """Return one that was handed out, the older the likelier, as it is with words."""
        number = int(self._next * self._rng.random() ** 2)
        form = new_form(number)
        return form if form not in self._vocabulary else new_form(self._next - 1)


def subsample(split: Split, factor: float) -> Iterator[tuple[str, int]]:
    """Yield that part of a split, with the labels in the same shares."""
    for label in range(len(NAMES)):
        texts = [text for text, other in zip(*split) if other == label]
        for text in texts[: max(1, round(len(texts) * factor))]:
            yield text, label


def recombine(
    split: Split, factor: float, law: Heaps, rng: random.Random
) -> Iterator[tuple[str, int, int]]:
    """Yield the reviews that are to be added to a split.

    Args:
        split: The real one, in an order that tells nothing.
        factor: How many times as many reviews there are to be, 1 or more.
        law: That of the split.
        rng: Decides everything.

    Yields:
        Text, label, and how many words of it are new to all that came before.
    """
    counts = collections.Counter(word for text in split.texts for word in words_of(text))
    words, distinct = counts.total(), len(counts)
    # The law's slope: the share of further words that are new.
    renamed = law.beta * distinct / words / (1 - _REUSED_SHARE)
    rare = _rare_words(counts, min(1, renamed * _RARE_MARGIN))
    new_words = NewWords(set(counts), rng)
    del counts
    pools = [
        [_sentences(t, rare) for t, other in zip(*split) if other == label] for label in (0, 1)
    ]
    flat = [[sentence for review in pool for sentence in review] for pool in pools]
    missing = [round(len(pool) * factor) - len(pool) for pool in pools]
    while any(missing):
        # Alternating: the order of rows is no property of the data that should grow with it.
        for label in range(len(NAMES)):
            if not missing[label]:
                continue
            missing[label] -= 1
            # As many sentences as a real review has, so that lengths are distributed as there.
            count = len(rng.choice(pools[label]))
            drawn = [rng.choice(flat[label]) for _ in range(count)]
            words += sum(sentence.words for sentence in drawn)
            wanted = round(law.distinct(words)) - distinct
            text, new = _join(drawn, wanted, new_words, rng)
            distinct += new
            yield text, label, new


def _rare_words(counts: collections.Counter[str], wanted: float) -> set[str]:
    """Return the rarest words that make up the share wanted, all of the same count together."""
    by_count: dict[int, int] = collections.Counter()
    for count in counts.values():
        by_count[count] += count
    share, limit = 0.0, 0
    for limit in sorted(by_count):
        share += by_count[limit] / counts.total()
        if share >= wanted:
            break
    return {word for word, count in counts.items() if count <= limit}


def _sentences(text: str, rare: set[str]) -> list[Sentence]:
    sentences = []
    for part in SENTENCE_END.split(text):
        matches = list(WORD.finditer(part))
        spans = tuple(match.span() for match in matches if match[0].lower() in rare)
        sentences.append(Sentence(part, len(matches), spans))
    return sentences


def _join(
    sentences: list[Sentence], wanted: int, new_words: NewWords, rng: random.Random
) -> tuple[str, int]:
    """Join sentences, with up to `wanted` new words in them; say how many."""
    parts, new = [], 0
    for text, _, spans in sentences:
        pieces, end = [], 0
        for start, stop in spans:
            reused = new_words.made > 0 and rng.random() < _REUSED_SHARE
            if new >= wanted:
                break
            form = new_words.again() if reused else new_words.make()
            new += not reused
            pieces += [text[end:start], form]
            end = stop
        parts.append(''.join(pieces) + text[end:])
    return ' '.join(parts), new


def write_split(file: TextIO, split: Split, factor: float, rng: random.Random) -> Made:
    """Write a split as CSV with the columns `text` and `label`."""
    writer = csv.writer(file)
    writer.writerow(['text', 'label'])
    made = Made(fit_heaps(split.texts))
    seen: set[str] = set()
    for text, label in subsample(split, min(factor, 1)):
        writer.writerow([text, NAMES[label]])
        words = words_of(text)
        seen.update(words)
        made.reviews += 1
        made.words += len(words)
    made.distinct = len(seen)
    if factor > 1:
        for text, label, new in recombine(split, factor, made.law, rng):
            writer.writerow([text, NAMES[label]])
            made.reviews += 1
            made.words += len(WORD.findall(text))
            made.distinct += new
    return made


def write_tables(
    splits: dict[str, Split], folder: pathlib.Path, factor: float, seed: int
) -> dict[str, Made]:
    """Write `train.csv` and `test.csv` below a folder.

    Args:
        splits: The real `train` and `test`, by name.
        folder: Where to.
        factor: Size against the real one, above 0.
        seed: Of all draws.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in list(splits):
        split = shuffled(splits.pop(name), seed)
        rng = random.Random(f'{name}, {seed}')
        with (folder / f'{name}.csv').open('w', encoding='utf-8', newline='') as file:
            made[name] = write_split(file, split, factor, rng)
    return made


def main() -> None:
    """Write the tables, and print what they hold as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('archive')
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('factor', type=float)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    splits = read_splits(options.archive)
    made = write_tables(splits, options.folder, options.factor, options.seed)
    print(json.dumps({name: dataclasses.asdict(split) for name, split in made.items()}))


if __name__ == '__main__':
    main()
