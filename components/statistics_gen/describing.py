"""Makes of what was counted in the texts what the report says of them.

Words and texts may be shared out, see `Texts.shared_out`: then each part is
summed up by itself, and no worker holds all words of a billion texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from components.common import features
from components.statistics_gen.described import (
    FINGERPRINT_WORDS,
    FREQUENT_WORDS,
    KNOWN_FROM,
    Described,
    Split,
    divergence,
)
from components.statistics_gen.texts import Texts, WordCounts


class Sums(NamedTuple):
    """What is known of a split, or of a part of its words and texts.

    Attributes:
        examples: See `Texts`.
        labels: The same.
        lengths: The same.
        words: Occurrences of all words.
        unknown: Of these, those of words that `train` has fewer than `KNOWN_FROM`
            times.
        frequent: The most frequent words, at most `FINGERPRINT_WORDS`, ordered.
        duplicates: See `Split`.
        shared: The same.
    """

    examples: int
    labels: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    words: int
    unknown: int
    frequent: list[tuple[str, int]]
    duplicates: int
    shared: dict[str, int]


def sum_up(texts: Mapping[str, Texts]) -> dict[str, Sums]:
    """Sum up one part of the words and texts of all splits.

    Args:
        texts: By name of the split; `train` is among them.
    """
    train = texts[features.TRAIN_SPLIT].counts()
    known = train.where(train.numbers >= KNOWN_FROM).words
    distinct = {name: np.unique(split.digests()) for name, split in texts.items()}
    sums = {}
    for name, split in texts.items():
        counts, digests = split.counts(), split.digests()
        is_known = pc.is_in(counts.words, value_set=known).to_numpy(zero_copy_only=False)
        sums[name] = Sums(
            examples=split.examples,
            labels=split.labels,
            lengths=split.lengths,
            words=counts.total,
            unknown=counts.where(~is_known).total,
            frequent=_most_frequent(counts),
            duplicates=len(digests) - len(distinct[name]),
            shared={
                other: int(np.isin(digests, distinct[other]).sum())
                for other in texts
                if other != name
            },
        )
    return sums


def describe(parts: Iterable[Mapping[str, Sums]]) -> Described:
    """Describe splits.

    Args:
        parts: Of the words and texts, all of them, in any order.

    Returns:
        The splits in the order of `features`.
    """
    order = [*features.SPLITS, features.UNLABELLED_SPLIT]
    by_split: dict[str, list[Sums]] = {}
    for part in parts:
        for name, sums in part.items():
            by_split.setdefault(name, []).append(sums)
    names = sorted(by_split, key=lambda name: order.index(name) if name in order else len(order))
    frequent = {
        name: _first([pair for sums in by_split[name] for pair in sums.frequent]) for name in names
    }
    of_train = frequent[features.TRAIN_SPLIT]
    return Described(
        splits=[
            _split(name, by_split[name], frequent[name], [n for n in names if n != name])
            for name in names
        ],
        drift={
            name: divergence(frequent[name], of_train)
            for name in names
            if name != features.TRAIN_SPLIT
        },
        fingerprint_words=of_train,
    )


def _split(
    name: str, parts: list[Sums], frequent: list[tuple[str, int]], others: list[str]
) -> Split:
    negative, positive = (sum(int(sums.labels[label]) for sums in parts) for label in (0, 1))
    labelled = bool(negative + positive)
    words = sum(sums.words for sums in parts)
    unknown = None
    if name != features.TRAIN_SPLIT and words:
        unknown = sum(sums.unknown for sums in parts) / words
    # One of the parts has all of them.
    lengths = max((sums.lengths for sums in parts), key=len)
    return Split(
        name=name,
        examples=sum(sums.examples for sums in parts),
        positive=positive if labelled else None,
        negative=negative if labelled else None,
        lengths=lengths.tolist(),
        words=words,
        frequent=frequent[:FREQUENT_WORDS],
        unknown=unknown,
        duplicates=sum(sums.duplicates for sums in parts),
        shared={other: sum(sums.shared[other] for sums in parts) for other in others},
    )


def _most_frequent(counts: WordCounts) -> list[tuple[str, int]]:
    if len(counts.numbers) > FINGERPRINT_WORDS:
        # Sorting all words would take longer than counting them.
        least = np.partition(counts.numbers, -FINGERPRINT_WORDS)[-FINGERPRINT_WORDS]
        counts = counts.where(counts.numbers >= least)
    return _first(list(zip(counts.words.to_pylist(), counts.numbers.tolist())))


def _first(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:FINGERPRINT_WORDS]
