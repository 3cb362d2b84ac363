"""Statistics of the texts of a run, which StatisticsGen writes for the report.

This module imports neither TensorFlow nor TFX, so that a report needs neither.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

import pydantic

FREQUENT_WORDS = 50
FINGERPRINT_WORDS = 2_000
# A word is known if `train` has it at least so many times.
MIN_KNOWN_COUNT = 2
TEXT_STATISTICS_FILE = os.path.join('report', 'text_statistics.json')

WordCounts = Sequence[tuple[str, int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitStatistics:
    """Statistics of the texts of a split.

    A word here is the text between two spaces, in lower case, without
    punctuation at its ends, and of at most 100 bytes; line-break tags are
    spaces, and each letter of a script without spaces is a word. These words
    are cheaper than those of Transform, and do not depend on its settings.

    Attributes:
        name: `train`, `val`, `test` or `unsup`.
        examples: Number of examples.
        positive: Examples labelled positive, None where there are no labels.
        negative: Examples labelled negative, None where there are no labels.
        lengths: Histogram of the number of words, including those that are
            punctuation only or too long: bin i counts the texts with
            `2**(i / 2) <= words < 2**((i + 1) / 2)`, bin 0 also those without a
            word. The last bin is not empty.
        words: Number of words, repetitions included.
        frequent: The `FREQUENT_WORDS` most frequent words with their
            occurrences, the most frequent first; equally frequent ones by code
            point.
        unknown: Share of `words` that `train` has fewer than `MIN_KNOWN_COUNT` times,
            in [0, 1]; None for `train` itself, and without a word.
        duplicates: Examples beyond the first of each text. Texts count as equal as they
            do for the split, see `components.readers.identity.words`.
        shared: By name of another split, the examples of this one whose text
            is in that one too.
        seen: Examples whose text is in another split of `train` and `val`; a text in
            both counts once. None if an older version wrote the file, as for the
            following counts.
        near_duplicates: As `duplicates`, if numbers make no difference either.
        nearly_shared: As `shared`, if numbers make no difference either.
        nearly_seen: As `seen`, if numbers make no difference either.
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
    seen: int | None = None
    near_duplicates: int | None = None
    nearly_shared: dict[str, int] | None = None
    nearly_seen: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextStatistics:
    """Statistics of the texts of a run.

    Attributes:
        splits: In the order `train`, `val`, `test`, `unsup`, those that exist.
        drift: By name of a split other than `train`, the `divergence` of its
            `FINGERPRINT_WORDS` most frequent words from those of `train`.
        fingerprint_words: The `FINGERPRINT_WORDS` most frequent words of
            `train` with their occurrences, for comparison with another run's.
    """

    splits: list[SplitStatistics]
    drift: dict[str, float]
    fingerprint_words: list[tuple[str, int]]


_FORMAT = pydantic.TypeAdapter(TextStatistics)


def read_text_statistics(folder: str) -> TextStatistics | None:
    """Read the statistics from the folder of the artifact `statistics`.

    Returns:
        None if an older version of the pipeline wrote the artifact.

    Raises:
        ValueError: If the file does not hold what StatisticsGen writes.
    """
    try:
        with open(os.path.join(folder, TEXT_STATISTICS_FILE), 'rb') as file:
            return parse_text_statistics(file.read())
    except FileNotFoundError:
        return None


def parse_text_statistics(content: bytes) -> TextStatistics:
    """Parse the content of the file; a ValueError means that it is damaged."""
    return _FORMAT.validate_json(content)


def to_json(statistics: TextStatistics) -> bytes:
    """Return the content of the file that `read_text_statistics` reads."""
    return _FORMAT.dump_json(statistics)


def divergence(one: WordCounts, other: WordCounts) -> float:
    """Compute the Jensen-Shannon divergence between the words of two lists.

    `H((p + q) / 2) - (H(p) + H(q)) / 2`, where p and q are the relative
    frequencies of the words in each list, and H is the entropy in bits. By
    chance alone, lists of n words each, v of them different, diverge by about
    `v / (4 * n * ln(2))`.

    Args:
        one: Different words with their occurrences. A list of
            `FINGERPRINT_WORDS` or more is taken to lack its rarest words: a word
            that only the other list has gets the share that it has there, but at
            most that of the rarest word here.
        other: The same; the order of the two does not matter.

    Returns:
        A number in [0, 1]: 0 for equal frequencies and for two empty lists; 1 if
        no word is in both lists, or one of them is empty.

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
