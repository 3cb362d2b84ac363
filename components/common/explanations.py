"""Reads the outputs of the signature `explain_text`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.common import features

Parts = list[tuple[str, float]]


def parts_by_text(outputs: Mapping[str, Any], texts: int) -> list[Parts]:
    """Group the contributions of n-grams by text.

    Args:
        outputs: The outputs of the signature, tensors.
        texts: Number of texts in the batch.

    Returns:
        For each text, n-grams and their contributions to its logit, by absolute value.
    """
    parts: list[Parts] = [[] for _ in range(texts)]
    keys = features.ROWS_KEY, features.NGRAMS_KEY, features.CONTRIBUTIONS_KEY
    for row, ngram, value in zip(*(outputs[key].numpy().tolist() for key in keys)):
        parts[row].append((ngram.decode('utf-8', errors='replace'), value))
    return parts
