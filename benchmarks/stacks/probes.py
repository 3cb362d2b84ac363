"""What both stacks are asked, the same of each."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Mapping, Sequence

from benchmarks.archive import ROOT
from components.smoke_test.texts import ODD_TEXTS

# A pipeline to compile, by the options of the command. Nothing of it is looked for.
COMPILED: Mapping[str, str] = {
    '--data': 'gs://bucket/data/reviews-*.csv',
    '--image': 'registry.example.com/team/reviews:1',
    '--pipeline-root': 'gs://bucket/root',
    '--serving-dir': 'gs://bucket/serving',
}

_SAMPLE = ROOT / 'data' / 'sample' / 'reviews.csv'
_SAMPLE_TEXTS = 200


def probe_texts() -> list[str]:
    """Return the texts that models are asked about: odd ones, then reviews of the sample."""
    with _SAMPLE.open(encoding='utf-8', newline='') as file:
        rows = itertools.islice(csv.DictReader(file), _SAMPLE_TEXTS)
        return [*ODD_TEXTS, *(row['text'] for row in rows)]


def sums(parts: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Add up what equal n-grams contribute: their order is no part of what is said.

    >>> sums([('good', 0.5), ('bad', -1.0), ('good', 0.25)])
    {'good': 0.75, 'bad': -1.0}
    """
    by_ngram: dict[str, list[float]] = {}
    for ngram, value in parts:
        by_ngram.setdefault(ngram, []).append(value)
    return {ngram: math.fsum(values) for ngram, values in by_ngram.items()}
