"""What a tuned decision threshold maximises: the value of `trainer.threshold_aim`."""

from __future__ import annotations

import re
from typing import NamedTuple

DEFAULT_AIM = 'balanced_accuracy'  # as in scikit-learn's TunedThresholdClassifierCV

_METRICS = ('accuracy', 'balanced_accuracy', 'f1')
_RECALL_AT_PRECISION = re.compile(r'recall +at +precision +([0-9]*\.?[0-9]+)')


class Aim(NamedTuple):
    """An aim on `val`.

    Attributes:
        metric: The metric that the threshold maximises: accuracy, balanced_accuracy, f1 or recall.
        min_precision: Smallest precision that is allowed, in (0, 1], None for any. It is there
            if the metric is recall.
    """

    metric: str
    min_precision: float | None = None

    def __str__(self) -> str:
        at = '' if self.min_precision is None else f' at precision {self.min_precision!r}'
        return f'{self.metric}{at}'


def parse_aim(text: str) -> Aim:
    """Parse an aim.

    Raises:
        ValueError: If there is no such aim.

    Example:
        >>> parse_aim('recall at precision 0.80')
        Aim(metric='recall', min_precision=0.8)
        >>> str(parse_aim('recall at precision 0.80')), str(parse_aim('f1'))
        ('recall at precision 0.8', 'f1')
    """
    words = text.strip()
    if words == 'binary_accuracy':  # the name of the metric elsewhere
        words = 'accuracy'
    if words in _METRICS:
        return Aim(words)
    match = _RECALL_AT_PRECISION.fullmatch(words)
    if match is None or not 0 < float(match[1]) <= 1:
        raise ValueError(
            f'expected {", ".join(_METRICS)} or recall at precision P, where P is above 0 and at '
            'most 1, such as recall at precision 0.8'
        )
    return Aim('recall', float(match[1]))
