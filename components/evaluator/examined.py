"""What the Evaluator keeps of its scores for the report, and how it is read.

It imports neither TensorFlow nor TFX, so that a report is made without them.
"""

from __future__ import annotations

import dataclasses
import os

import pydantic

BINS = 1_000
SHOWN_EXAMPLES = 20
SHOWN_CHARACTERS = 2_000
SHOWN_PARTS = 8
FILE = os.path.join('report', 'examined.json')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histogram:
    """Scores of a model on `test`.

    A score on a bin's lower edge is in that bin; 1.0 is in the last one.

    Attributes:
        positive: By bin of `1 / BINS` of the probability, the number of
            examples that are labelled positive.
        negative: The same for those labelled negative.
    """

    positive: list[int]
    negative: list[int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """An example of `test`, and what the candidate makes of it.

    Attributes:
        text: Its first `SHOWN_CHARACTERS` characters.
        cut: Whether there are more.
        label: 1 positive, 0 negative.
        probability: Of the positive label, in [0, 1].
        moved_by: What moved the logit most, at most `SHOWN_PARTS` n-grams with
            what each adds to it, the strongest first; none where the model
            cannot say.
    """

    text: str
    cut: bool
    label: int
    probability: float
    moved_by: list[tuple[str, float]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examined:
    """What the scores on `test` look like, beyond the metrics.

    An example for which a model gives no probability (NaN, or a number beyond
    [0, 1]) is in none of the model's counts and in neither list of examples;
    `unscored` counts those of the candidate. The gate refuses such a model.

    Attributes:
        candidate: Scores of the model that is judged.
        baseline: Scores of the blessed model, None if there was none.
        mistakes: At most `SHOWN_EXAMPLES` examples on the wrong side of one
            half, the farthest from it first; equally far ones by their text.
        uncertain: As many examples, right or wrong, the nearest to one half
            first; equally near ones by their text.
        true_positives: Examples labelled positive, with a probability above
            one half; one half itself is negative, as in the gate's accuracy.
        false_positives: Those labelled negative, above one half.
        true_negatives: Those labelled negative, at or below one half.
        false_negatives: Those labelled positive, at or below one half.
        unscored: Examples for which the candidate gives no probability.
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


_FORMAT = pydantic.TypeAdapter(Examined)


def read_examined(folder: str) -> Examined | None:
    """Read what an Evaluator kept.

    Args:
        folder: Of its artifact `evaluation`.

    Returns:
        None if the artifact is of a run that kept nothing of the kind.

    Raises:
        ValueError: If the file is there, and is not what the Evaluator writes.
    """
    try:
        with open(os.path.join(folder, FILE), 'rb') as file:
            return parse_examined(file.read())
    except FileNotFoundError:
        return None


def parse_examined(content: bytes) -> Examined:
    """Return what a file holds that `to_json` made.

    Raises:
        ValueError: If it is not what the Evaluator writes.
    """
    return _FORMAT.validate_json(content)


def to_json(examined: Examined) -> bytes:
    """Return the content of the file that `read_examined` reads."""
    return _FORMAT.dump_json(examined)
