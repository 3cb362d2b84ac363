"""Lists the suspected label errors of `test` by the scores of the candidate."""

from __future__ import annotations

import numpy as np

from components.common import features
from components.evaluator.score_files import ScoreColumns
from components.label_issues.writing import ScoredSplit, write_label_issues


def write_test_label_issues(
    evaluation: str,
    examples_uri: str,
    scores: ScoreColumns,
    *,
    candidate: str,
    labels: tuple[str, str],
) -> None:
    """Write the suspected label errors of `test` into the Evaluation artifact.

    Args:
        evaluation: Folder of the Evaluation artifact.
        examples_uri: The Examples artifact.
        scores: The scores of all files of `test`, in the order of their names.
        candidate: Name of the candidate in `scores`.
        labels: The data's spelling of the negative and the positive label.
    """
    sizes = np.bincount(scores.file_index, minlength=len(scores.files))
    starts = np.cumsum(sizes) - sizes
    rows = starts[scores.file_index] + scores.rows
    scored = ScoredSplit(scores.labels, scores.predictions[candidate], rows)
    write_label_issues(evaluation, examples_uri, {features.TEST_SPLIT: scored}, labels)
