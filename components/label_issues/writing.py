"""Writes the suspected label errors of the splits of an Examples artifact."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.example_gen.artifact_files import split_files
from components.example_gen.origins import find_origins
from components.label_issues.confident_learning import find_label_errors
from components.label_issues.table import (
    SHOWN_ISSUES,
    SUMMARY_FILE,
    TABLE_FILE,
    IssueSummary,
    LabelIssue,
    ShownIssue,
    format_summary,
    format_table,
    rank_key,
)

_SHOWN_CHARACTERS = 2_000
_RECORDS_AT_ONCE = 1_000


class ScoredSplit(NamedTuple):
    """The examples of a split with scores of a model that did not learn from them.

    Attributes:
        labels: `[examples]`, 0 or 1.
        probabilities: `[examples]`: probability of the label 1. An example with NaN, or a number
            outside [0, 1], is not examined.
        rows: int64 `[examples]`: position of each example in the files of the split, which are in
            the order of their names; from 0.
    """

    labels: npt.NDArray[np.generic]
    probabilities: npt.NDArray[np.floating[Any]]
    rows: npt.NDArray[np.int64]


def write_label_issues(
    folder: str, examples_uri: str, splits: Mapping[str, ScoredSplit], names: tuple[str, str]
) -> None:
    """Find the suspected label errors of some splits, and write them into an artifact.

    Args:
        folder: The artifact, on a disk or in an object store.
        examples_uri: The Examples artifact.
        splits: The scores by split. If there are none, nothing is written.
        names: The data's spelling of the negative and the positive label.

    Raises:
        ComponentError: If the Examples artifact has fewer origins than examples.
    """
    if not splits:
        return
    found: list[tuple[LabelIssue, int]] = []
    counts = {}
    for split, scored in splits.items():
        labels = scored.labels.astype(np.int8)
        probabilities = scored.probabilities.astype(np.float64)
        errors = find_label_errors(labels, probabilities)
        counts[split] = len(errors)
        rows = scored.rows[errors].tolist()
        origins = find_origins(examples_uri, split, rows)
        for error, row in zip(errors.tolist(), rows):
            given, probability = int(labels[error]), float(probabilities[error])
            issue = LabelIssue(split, *origins[row], names[given], names[1 - given], probability)
            found.append((issue, row))
    found.sort(key=lambda pair: rank_key(pair[0]))
    first = found[:SHOWN_ISSUES]
    texts = {
        split: _read_texts(examples_uri, split, {row for each, row in first if each.split == split})
        for split in splits
    }
    shown = [
        ShownIssue(
            issue=issue,
            text=texts[issue.split][row][:_SHOWN_CHARACTERS],
            cut=len(texts[issue.split][row]) > _SHOWN_CHARACTERS,
        )
        for issue, row in first
    ]
    for name, content in (
        (TABLE_FILE, format_table([issue for issue, _ in found])),
        (SUMMARY_FILE, format_summary(IssueSummary(counts=counts, shown=shown))),
    ):
        path = posixpath.join(folder, name)
        tf.io.gfile.makedirs(posixpath.dirname(path))
        with tf.io.gfile.GFile(path, 'wb') as file:
            file.write(content)


def _read_texts(examples_uri: str, split: str, rows: Collection[int]) -> dict[int, str]:
    """Return the texts of some examples by their position in the files of the split."""
    found: dict[int, str] = {}
    if not rows:
        return found
    records = tf.data.TFRecordDataset(split_files(examples_uri, split), 'GZIP')
    batches = records.take(max(rows) + 1).batch(_RECORDS_AT_ONCE).as_numpy_iterator()
    for number, batch in enumerate(batches):
        start = number * _RECORDS_AT_ONCE
        for row in rows:
            if start <= row < start + len(batch):
                example = tf.train.Example.FromString(batch[row - start])
                (text,) = example.features.feature[features.TEXT_KEY].bytes_list.value
                found[row] = text.decode('utf-8', errors='replace')
    return found
