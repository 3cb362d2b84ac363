"""Makes a smaller or larger IMDB: `python -m benchmarks.recombine ARCHIVE FOLDER FACTOR`.

A factor below 1 takes a part of each label of each split. A factor above 1 adds
reviews that consist of sentences from several reviews of the same label and split.
Real text would also bring new words: by Heaps' law, n words contain K * n**beta
distinct ones. So rare words are renamed as often as the law, fitted to the real
split, requires.

Memory holds one split of the archive for any factor. The same arguments give the
same files.
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
# This share of the renamed occurrences reuses an earlier new word. Otherwise each new word
# would occur once.
_REUSED_SHARE = 0.5
# This many times more words count as rare than the law requires on average.
_RARE_MARGIN = 2
_FIT_POINTS = 12
_SYLLABLES = [consonant + vowel for consonant in 'bdfgklmnprstvz' for vowel in 'aeiou']


class Heaps(NamedTuple):
    """Heaps' law: n words contain `k * n**beta` distinct ones."""

    k: float
    beta: float

    def distinct(self, words: float) -> float:
        """Return the number of distinct words.

        >>> Heaps(10, 0.5).distinct(400)
        200.0
        """
        return float(self.k * words**self.beta)


@dataclasses.dataclass
class Made:
    """Counts of a split that was written.

    Attributes:
        law: The law of its vocabulary.
        reviews: Number of reviews.
        words: Number of words.
        distinct: Number of distinct words in lower case.
    """

    law: Heaps
    reviews: int = 0
    words: int = 0
    distinct: int = 0


class Sentence(NamedTuple):
    """A sentence.

    Attributes:
        text: The text.
        words: Number of words.
        rare: Start and end of each rare word.
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
    """Fit Heaps' law to texts in random order.

    The exponent is the slope of log(distinct words) over log(words), by least
    squares over points that double; the factor makes the law exact at the end.

    Raises:
        ValueError: The texts have too few words.
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
    """Return the invented word with a number, of three syllables or more.

    >>> new_form(0), new_form(1), new_form(70)
    ('bababa', 'bababe', 'babeba')
    """
    syllables: list[str] = []
    while number or len(syllables) < 3:
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    return ''.join(reversed(syllables))


class NewWords:
    """Words that a split does not contain.

    Args:
        vocabulary: The words of the split.
        rng: Selects the words that are reused.
    """

    def __init__(self, vocabulary: set[str], rng: random.Random) -> None:
        self._vocabulary = vocabulary
        self._rng = rng
        self._next = 0
        self.made = 0

    def make(self) -> str:
        """Return an unused word."""
        while new_form(self._next) in self._vocabulary:
            self._next += 1
        form = new_form(self._next)
        self._next += 1
        self.made += 1
        return form

    def again(self) -> str:
        """Return a used word; older ones are more likely."""
        number = int(self._next * self._rng.random() ** 2)
        form = new_form(number)
        return form if form not in self._vocabulary else new_form(self._next - 1)


def subsample(split: Split, factor: float) -> Iterator[tuple[str, int]]:
    """Yield a part of a split, with the same shares of labels."""
    for label in range(len(NAMES)):
        texts = [text for text, other in zip(*split) if other == label]
        for text in texts[: max(1, round(len(texts) * factor))]:
            yield text, label


def recombine(
    split: Split, factor: float, law: Heaps, rng: random.Random
) -> Iterator[tuple[str, int, int]]:
    """Yield the reviews to add to a split.

    Args:
        split: The real split, in random order.
        factor: Size of the result relative to the split, at least 1.
        law: The law of the split.
        rng: Source of all random choices.

    Yields:
        Text, label, and the number of new words in it.
    """
    counts = collections.Counter(word for text in split.texts for word in words_of(text))
    words, distinct = counts.total(), len(counts)
    # The slope of the law: the share of new words among further words.
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
        # Alternate the labels.
        for label in range(len(NAMES)):
            if not missing[label]:
                continue
            missing[label] -= 1
            # As many sentences as a real review has.
            count = len(rng.choice(pools[label]))
            drawn = [rng.choice(flat[label]) for _ in range(count)]
            words += sum(sentence.words for sentence in drawn)
            wanted = round(law.distinct(words)) - distinct
            text, new = _join(drawn, wanted, new_words, rng)
            distinct += new
            yield text, label, new


def _rare_words(counts: collections.Counter[str], wanted: float) -> set[str]:
    """Return the rarest words, which make up at least the share `wanted` of all words."""
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
    """Join sentences with up to `wanted` new words; return the text and their number."""
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
    """Write `train.csv` and `test.csv` to a folder.

    Args:
        splits: The real `train` and `test`.
        folder: Folder for the files.
        factor: Size relative to the real splits, above 0.
        seed: Seed of all random choices.
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
    """Write the tables, and print their counts as one line of JSON."""
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
