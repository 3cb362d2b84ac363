"""Details of the scores on `test` that the Evaluator stores for the report.

This module imports neither TensorFlow nor TFX, so the report does not need them.
"""

from __future__ import annotations

import dataclasses
import os

import pydantic

from components.common.decision_threshold import DEFAULT_THRESHOLD

BINS = 1_000
SHOWN_EXAMPLES = 20
SHOWN_CHARACTERS = 2_000
SHOWN_PARTS = 8
SCORE_DETAILS_FILE = 'report/score_details.json'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histogram:
    """Scores of a model on `test`, in `BINS` bins of equal width.

    A score on the lower edge of a bin is in that bin; 1.0 is in the last bin.

    Attributes:
        positive: Number of positive examples in each bin.
        negative: Number of negative examples in each bin.
    """

    positive: list[int]
    negative: list[int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """An example of `test` with the candidate's score.

    Attributes:
        text: The first `SHOWN_CHARACTERS` characters of the text.
        cut: Whether the text is longer.
        label: 1 for positive, 0 for negative.
        probability: Predicted probability of the positive label, in [0, 1].
        contributions: At most `SHOWN_PARTS` n-grams with their contributions to the
            logit, by absolute value; empty if the model cannot explain a score.
    """

    text: str
    cut: bool
    label: int
    probability: float
    contributions: list[tuple[str, float]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreDetails:
    """Histograms, confusion matrix and selected examples of the scores on `test`.

    An example whose score is no probability (NaN, or outside [0, 1]) is in no
    count of that model and in no list. The gate refuses such a model. A
    probability of the threshold itself counts as negative, as in the accuracy.

    Attributes:
        candidate: Scores of the candidate.
        baseline: Scores of the baseline, None without a baseline.
        mistakes: At most `SHOWN_EXAMPLES` misclassified examples, farthest from
            the threshold first, then by text.
        uncertain: At most `SHOWN_EXAMPLES` examples, nearest to the threshold first,
            then by text.
        true_positives: Number of positive examples classified as positive.
        false_positives: Number of negative examples classified as positive.
        true_negatives: Number of negative examples classified as negative.
        false_negatives: Number of positive examples classified as negative.
        unscored: Number of examples for which the candidate returns no probability.
        threshold: The decision threshold of the candidate, in (0, 1).
    """

    candidate: Histogram
    baseline: Histogram | None
    mistakes: list[Example]
    uncertain: list[Example]
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    unscored: int = 0
    threshold: float = DEFAULT_THRESHOLD


_FORMAT = pydantic.TypeAdapter(ScoreDetails)


def read_score_details(folder: str) -> ScoreDetails | None:
    """Read the details from the folder of an Evaluation artifact on a disk.

    Returns:
        None if the artifact has none, because an older version wrote it.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with open(os.path.join(folder, SCORE_DETAILS_FILE), 'rb') as file:
            return parse_score_details(file.read())
    except FileNotFoundError:
        return None


def parse_score_details(content: bytes) -> ScoreDetails:
    """Parse the content of the file; a ValueError means that it is damaged."""
    return _FORMAT.validate_json(content)


def to_json(details: ScoreDetails) -> bytes:
    """Return the content of the file that `read_score_details` reads."""
    return _FORMAT.dump_json(details)
