"""Reads what the signature `explain_text` says of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.common import features

Parts = list[tuple[str, float]]


def parts_by_text(said: Mapping[str, Any], texts: int) -> list[Parts]:
    """Sort what was said by text.

    Args:
        said: The outputs of the signature, tensors.
        texts: How many it was asked about.

    Returns:
        For each text, n-grams and what each adds to its logit, the strongest
        first.
    """
    parts: list[Parts] = [[] for _ in range(texts)]
    keys = features.ROWS_KEY, features.NGRAMS_KEY, features.CONTRIBUTIONS_KEY
    for row, ngram, value in zip(*(said[key].numpy().tolist() for key in keys)):
        parts[row].append((ngram.decode('utf-8', errors='replace'), value))
    return parts
