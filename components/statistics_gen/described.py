"""What StatisticsGen keeps of the texts for the report, and how it is read.

It imports neither TensorFlow nor TFX, so that a report is made without them.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

import pydantic

FREQUENT_WORDS = 50
FINGERPRINT_WORDS = 2_000
KNOWN_FROM = 2  # occurrences in `train`
FILE = os.path.join('report', 'described.json')

WordCounts = Sequence[tuple[str, int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """The texts of a split.

    A word here is what stands between spaces, in lower case, without
    punctuation at its ends; line-break tags are spaces, and a letter of a
    script without spaces is a word. What is longer than 100 bytes is none. It
    is cheaper than the words of Transform, and does not depend on its settings.

    Attributes:
        name: `train`, `val`, `test` or `unsup`.
        examples: How many there are.
        positive: Examples labelled positive, None where there are no labels.
        negative: Examples labelled negative, None where there are no labels.
        lengths: Histogram of the number of words, here with those that are
            punctuation alone or too long: bin i holds the texts with
            `2**(i / 2) <= words < 2**((i + 1) / 2)`, bin 0 also those without a
            word. The last bin is not empty.
        words: Occurrences of all words.
        frequent: The `FREQUENT_WORDS` most frequent words with their
            occurrences, the most frequent first; equally frequent ones by code
            point.
        unknown: Share of `words` that `train` has fewer than `KNOWN_FROM` times,
            in [0, 1]; None for `train` itself, and without a word.
        duplicates: Examples beyond the first of each text.
        shared: By name of another split, the examples of this one whose text
            is in that one too.
    """

    name: str
    examples: int
    positive: int | None
    negative: int | None
    lengths: list[int]
    words: int
    frequent: list[tuple[str, int]]
    unknown: float | None
    duplicates: int
    shared: dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Described:
    """The texts of a run.

    Attributes:
        splits: In the order `train`, `val`, `test`, `unsup`, as far as there.
        drift: By name of a split other than `train`, the `divergence` of its
            `FINGERPRINT_WORDS` most frequent words from those of `train`.
        fingerprint_words: The `FINGERPRINT_WORDS` most frequent words of
            `train` with their occurrences, for comparison with another run's.
    """

    splits: list[Split]
    drift: dict[str, float]
    fingerprint_words: list[tuple[str, int]]


_FORMAT = pydantic.TypeAdapter(Described)


def read_described(folder: str) -> Described | None:
    """Read what a StatisticsGen kept.

    Args:
        folder: Of its artifact `statistics`.

    Returns:
        None if the artifact is of a run that kept nothing of the kind.

    Raises:
        ValueError: If the file is there, and is not what StatisticsGen writes.
    """
    try:
        with open(os.path.join(folder, FILE), 'rb') as file:
            return _FORMAT.validate_json(file.read())
    except FileNotFoundError:
        return None


def to_json(described: Described) -> bytes:
    """Return the content of the file that `read_described` reads."""
    return _FORMAT.dump_json(described)


def divergence(one: WordCounts, other: WordCounts) -> float:
    """Compute the Jensen-Shannon divergence between the words of two texts.

    `H((p + q) / 2) - (H(p) + H(q)) / 2`, where p and q are the shares of the
    words of each list in all of that list, and H is the entropy in bits. Few
    texts differ by chance: lists of n words each, of v different ones, by some
    `v / (4 * n * ln(2))`.

    Args:
        one: Different words with their occurrences. A list of at least
            `FINGERPRINT_WORDS` has lost its rarest words: what the other list
            has beyond it may be as frequent as the last of it, and counts as
            such, so that a word that is just below the cut makes no difference.
        other: The same; the order of the two does not matter.

    Returns:
        A number in [0, 1]: 0 for equal shares, and for two empty lists; 1 if no
        word is in both, and where one is empty.

    >>> divergence([('good', 2), ('bad', 2)], [('bad', 1), ('good', 1)])
    0.0
    >>> divergence([('good', 2)], [('bad', 1)])
    1.0
    """
    if not one or not other:
        return float(bool(one) != bool(other))
    ours, theirs = _shares(one), _shares(other)
    least_ours = _share_of_missing(one, ours)
    least_theirs = _share_of_missing(other, theirs)
    words = sorted(ours.keys() | theirs.keys())
    pairs = [
        (
            ours[word] if word in ours else min(least_ours, theirs[word]),
            theirs[word] if word in theirs else min(least_theirs, ours[word]),
        )
        for word in words
    ]
    total_ours, total_theirs = (math.fsum(column) for column in zip(*pairs))
    bits = math.fsum(_bits(p / total_ours, q / total_theirs) for p, q in pairs)
    return min(1.0, max(0.0, bits / 2))


def _shares(counts: WordCounts) -> dict[str, float]:
    total = sum(count for _, count in counts)
    return {word: count / total for word, count in counts}


def _share_of_missing(counts: WordCounts, shares: dict[str, float]) -> float:
    return min(shares.values()) if len(counts) >= FINGERPRINT_WORDS else 0.0


def _bits(p: float, q: float) -> float:
    mean = (p + q) / 2
    return sum(share * math.log2(share / mean) for share in (p, q) if share > 0)
