"""Tunes the decision threshold of a model on scores of `val`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic

from components.common.decision_threshold import format_threshold
from components.common.errors import ComponentError, ConfigError
from components.trainer.threshold_aim import Aim

TUNED_THRESHOLD_FILE = 'threshold.json'  # in the artifact `model_run` of the Trainer

# With 20 examples of a label, the standard error of recall or specificity is up to 0.11.
MIN_EXAMPLES = 20
_CURVE_POINTS = 100

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The metrics on `val` at a threshold.

    Attributes:
        threshold: In [0, 1].
        value: The metric of the aim, in [0, 1]; recall also where the precision is too low.
        precision: In [0, 1]; None if no text is positive.
    """

    threshold: float
    value: float
    precision: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TunedThreshold:
    """A tuned threshold, and how it was found.

    Attributes:
        aim: See `parse_aim`.
        threshold: In (0, 1).
        value: The metric of the aim at the threshold, on `val`.
        precision: The precision at the threshold, on `val`; None if no text is positive.
        examples: Number of examples of `val`.
        curve: The metrics at thresholds of equal distances between the lowest and the highest
            probability, and at the tuned one; ascending.
    """

    aim: str
    threshold: float
    value: float
    precision: float | None
    examples: int
    curve: list[CurvePoint]

    def describe(self) -> str:
        """Return one line for the terminal.

        >>> TunedThreshold(aim='recall at precision 0.8', threshold=0.27314, value=0.84,
        ...     precision=0.8012, examples=90, curve=[]).describe()
        'threshold 0.2731: recall 0.8400 at precision 0.8012 on val'
        """
        return f'threshold {format_threshold(self.threshold)}: {self.describe_value()} on val'

    def describe_value(self) -> str:
        """Return the value that the threshold reaches, such as `f1 0.8123`."""
        metric, at, _ = self.aim.replace('_', ' ').partition(' at precision ')
        return f'{metric} {self.value:.4f}' + (f'{at}{self.precision:.4f}' if at else '')


def tune_threshold(
    labels: npt.NDArray[Any], probabilities: npt.NDArray[Any], aim: Aim
) -> TunedThreshold:
    """Return the threshold with the best value of the aim.

    A text is positive if its probability is above the threshold. The candidates are the
    midpoints between neighbouring distinct probabilities, and between the outermost ones and 0
    or 1. So they have all divisions of the texts that a threshold can make, and `>` and `>=`
    agree. Of candidates with the same value, the one nearest to 0.5 is chosen, then the lower
    one; for recall at a precision, the one with the highest precision.

    scikit-learn's `TunedThresholdClassifierCV` has the same aim by default, but looks at 100
    thresholds only. Keras's `RecallAtPrecision` has the same rule for the precision: it may be
    equal to the bound.

    Args:
        labels: 0 or 1 `[examples]`.
        probabilities: In [0, 1] `[examples]`, of the label 1, by a model that did not learn from
            the example. They are compared as float32, as a model returns them.
        aim: What to maximise.

    Raises:
        ComponentError: If there is an example without a probability.
        ConfigError: If there are too few examples of a label, or no threshold has the precision.

    Example:
        >>> labels = np.repeat([0, 1], 20)
        >>> tuned = tune_threshold(labels, np.where(labels, 0.375, 0.125), Aim('f1'))
        >>> tuned.threshold, tuned.value
        (0.25, 1.0)
    """
    scores = np.asarray(probabilities, np.float32).astype(np.float64)
    unscored = int(np.count_nonzero(~((scores >= 0) & (scores <= 1))))
    if unscored:
        raise ComponentError(
            f'Trainer: expected a probability for each text of val to tune trainer.threshold on, '
            f'got none for {unscored:,} of {len(scores):,}',
            hint='the training diverged: lower the learning rate',
        )
    labels = np.asarray(labels).astype(np.int64)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    require_tunable(negatives, positives)

    distinct, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # By cut: the texts with the distinct score of this index, and with higher ones, are positive.
    hits = positives - _sums_before(np.bincount(which, labels).astype(np.int64))
    predicted = len(labels) - _sums_before(counts)
    values, precisions = _values(hits, predicted, negatives, positives, aim)
    edges = np.concatenate([[0], distinct, [1]])
    thresholds = (edges[:-1] + edges[1:]) / 2
    # No threshold is below a score of 0, or above one of 1.
    allowed = edges[:-1] < edges[1:]
    if aim.min_precision is not None:
        precise = precisions >= aim.min_precision  # false for NaN
        _require_precise(allowed, precise, thresholds, (values, precisions), aim.min_precision)
        allowed &= precise
    ties = np.flatnonzero(allowed & (values == values[allowed].max()))
    if aim.min_precision is not None:
        best = ties[-1]
    else:
        best = ties[np.argmin(np.abs(thresholds[ties] - 0.5))]

    def at(threshold: float) -> CurvePoint:
        cut = np.searchsorted(distinct, threshold, side='right')
        precision = None if np.isnan(precisions[cut]) else float(precisions[cut])
        return CurvePoint(threshold=threshold, value=float(values[cut]), precision=precision)

    chosen = at(float(thresholds[best]))
    grid = np.linspace(distinct[0], distinct[-1], _CURVE_POINTS).tolist()
    return TunedThreshold(
        aim=str(aim),
        threshold=chosen.threshold,
        value=chosen.value,
        precision=chosen.precision,
        examples=len(labels),
        curve=[at(threshold) for threshold in sorted({*grid, chosen.threshold})],
    )


def require_tunable(negatives: int, positives: int) -> None:
    """Check that `val` has enough examples of each label to tune a threshold on.

    Raises:
        ConfigError: If there are fewer than 20 of one.
    """
    if min(negatives, positives) < MIN_EXAMPLES:
        raise ConfigError(
            f'trainer.threshold: expected at least {MIN_EXAMPLES} examples of each label in val to '
            f'tune it on, got {negatives:,} negative and {positives:,} positive ones',
            hint='set a number, such as trainer.threshold=0.5, or put more examples into val: add '
            'data, or raise data.columns.val_percent',
        )


def _values(
    hits: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    negatives: int,
    positives: int,
    aim: Aim,
) -> tuple[Floats, Floats]:
    """Return the metric of the aim, and the precision, of each cut.

    Args:
        hits: Number of true positives of each cut.
        predicted: Number of texts that are predicted to be positive.
        negatives: Number of negative texts.
        positives: Number of positive texts.
        aim: What to maximise.
    """
    # Each value is one division of integers, so equal values are equal to the last bit.
    rejected = negatives - (predicted - hits)
    fractions = {
        'accuracy': (hits + rejected, negatives + positives),
        'balanced_accuracy': (
            hits * negatives + rejected * positives,
            2 * negatives * positives,
        ),
        'f1': (2 * hits, predicted + positives),
        'recall': (hits, positives),
    }
    over, under = fractions[aim.metric]
    nothing = np.full(len(hits), np.nan)
    return over / under, np.divide(hits, predicted, out=nothing, where=predicted > 0)


def _require_precise(
    allowed: npt.NDArray[np.bool_],
    precise: npt.NDArray[np.bool_],
    thresholds: Floats,
    found: tuple[Floats, Floats],
    min_precision: float,
) -> None:
    """Check that a threshold has the precision; otherwise, name the one that has the highest."""
    if (allowed & precise).any():
        return
    recalls, precisions = found
    known = np.where(allowed & ~np.isnan(precisions), precisions, -1)
    # Of the cuts with the highest precision, the one with the highest recall.
    best = int(np.flatnonzero(known == known.max())[0])
    raise ConfigError(
        f'trainer.threshold_aim: no threshold has a precision of {min_precision!r} on val; the '
        f'highest precision is {precisions[best]:.4f}, with recall {recalls[best]:.4f} at the '
        f'threshold {format_threshold(float(thresholds[best]))}',
        hint='lower the precision in trainer.threshold_aim, or train a model that ranks the texts '
        'better: more data, or another preset',
    )


def _sums_before(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the sum of the counts before each place, and of all; `[len(counts) + 1]`."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


_FORMAT = pydantic.TypeAdapter(TunedThreshold)


def parse_tuned_threshold(content: bytes) -> TunedThreshold:
    """Parse the content of `TUNED_THRESHOLD_FILE`; a ValueError means that it is damaged."""
    return _FORMAT.validate_json(content)


def to_json(tuned: TunedThreshold) -> str:
    """Return the content of the file that `parse_tuned_threshold` parses."""
    return _FORMAT.dump_json(tuned, indent=2).decode() + '\n'
