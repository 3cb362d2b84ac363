"""Makes a smaller or larger IMDB: `python -m benchmarks.recombine ARCHIVE FOLDER FACTOR`.

A factor below 1 takes a part of each label of each split. A factor above 1 adds
reviews that consist of sentences from several reviews of the same label and split.
Real text would also bring new words: by Heaps' law, n words contain K * n**beta
distinct ones. So invented words replace as many words as the law, fitted to the real
split, requires.

Memory holds one split of the archive for any factor. The same arguments give the
same files.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import pathlib
import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.reviews import NAMES, Split, read_splits, shuffled

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
SENTENCE_END = re.compile(r'(?<=[.!?])\s+')


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


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    >>> words_of("It's GOOD_enough.")
    ["it's", 'good', 'enough']
    """
    return WORD.findall(text.lower())


def count_words(texts: list[str]) -> tuple[int, int]:
    """Return the numbers of words and of distinct words."""
    total, seen = 0, set[str]()
    for text in texts:
        words = words_of(text)
        total += len(words)
        seen.update(words)
    return total, len(seen)


def fit_heaps(texts: list[str]) -> Heaps:
    """Return the law that is exact for all texts, and for a quarter of them.

    Args:
        texts: Texts in random order.
    """
    (part_words, part_distinct), (words, distinct) = map(
        count_words, (texts[: len(texts) // 4], texts)
    )
    beta = math.log(distinct / part_distinct) / math.log(words / part_words)
    return Heaps(distinct / words**beta, beta)


def subsample(split: Split, factor: float) -> Iterator[tuple[str, int]]:
    """Yield a part of a split, with the same shares of labels."""
    for label in range(len(NAMES)):
        texts = [text for text, other in zip(*split) if other == label]
        for text in texts[: max(1, round(len(texts) * factor))]:
            yield text, label


def recombine(split: Split, factor: float, rng: random.Random) -> Iterator[tuple[str, int]]:
    """Yield the reviews to add to a split.

    Args:
        split: The real split, in random order.
        factor: Size of the result relative to the split, at least 1.
        rng: Source of all random choices.
    """
    law = fit_heaps(split.texts)
    words, distinct = count_words(split.texts)
    pools = [
        [SENTENCE_END.split(text) for text, other in zip(*split) if other == label]
        for label in range(len(NAMES))
    ]
    sentences = [[sentence for review in pool for sentence in review] for pool in pools]
    labels = [
        label
        for label, pool in enumerate(pools)
        for _ in range(round(len(pool) * factor) - len(pool))
    ]
    rng.shuffle(labels)
    invented = 0
    for label in labels:
        # As many sentences as a real review has.
        count = len(rng.choice(pools[label]))
        text = ' '.join(rng.choices(sentences[label], k=count))
        places = [match.span() for match in WORD.finditer(text)]
        words += len(places)
        new = max(0, round(law.distinct(words)) - distinct)
        # As many words again reuse an invented one: otherwise each would occur once.
        replaced = rng.sample(places, min(2 * new, len(places)))
        for number, (start, end) in enumerate(sorted(replaced, reverse=True)):
            if number % 2 == 0:
                word, invented, distinct = invented, invented + 1, distinct + 1
            else:
                word = rng.randrange(invented)
            text = f'{text[:start]}zq{word}{text[end:]}'
        yield text, label


def write_tables(
    splits: dict[str, Split], folder: pathlib.Path, factor: float, seed: int = 1
) -> dict[str, int]:
    """Write `train.csv` and `test.csv` to a folder.

    Args:
        splits: The real `train` and `test`. Each is removed before the next one is
            written, to save memory.
        folder: Folder for the files.
        factor: Size relative to the real splits, above 0.
        seed: Seed of all random choices.

    Returns:
        The number of reviews in each split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in list(splits):
        split = shuffled(splits.pop(name), seed)
        rng = random.Random(f'{name}, {seed}')
        with (folder / f'{name}.csv').open('w', encoding='utf-8', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['text', 'label'])
            added = recombine(split, factor, rng) if factor > 1 else ()
            made[name] = 0
            for text, label in itertools.chain(subsample(split, min(factor, 1)), added):
                writer.writerow([text, NAMES[label]])
                made[name] += 1
    return made


def main() -> None:
    """Write the tables, and print their sizes as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('archive')
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('factor', type=float)
    options = parser.parse_args()
    print(json.dumps(write_tables(read_splits(options.archive), options.folder, options.factor)))


if __name__ == '__main__':
    main()
