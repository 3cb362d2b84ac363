"""The decision threshold of a model: the probability above which a text is positive."""

from __future__ import annotations

import dataclasses
import posixpath

import pydantic

from components.common.storage import storage_of

DEFAULT_THRESHOLD = 0.5
THRESHOLD_ASSET = 'threshold.json'  # in assets.extra/; a model without it has the default


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecisionThreshold:
    """The content of `THRESHOLD_ASSET`.

    Attributes:
        threshold: In (0, 1). A text is positive if its probability is above it.
        aim: What it maximises on `val`, as in `trainer.threshold_aim`; None if it was not tuned.
    """

    threshold: float
    aim: str | None = None


_FORMAT = pydantic.TypeAdapter(DecisionThreshold)


def format_threshold(threshold: float) -> str:
    """Return a threshold with four decimals; with four digits if it is close to 0 or 1.

    >>> [format_threshold(value) for value in (0.5, 0.273149, 0.0000123456, 0.9999961)]
    ['0.5', '0.2731', '1.235e-05', '0.9999961']
    """
    if 0.001 <= threshold <= 0.999:
        return f'{threshold:.4f}'.rstrip('0')
    return f'{threshold:.4g}' if threshold < 0.5 else repr(round(threshold, 9))


def read_decision_threshold(model_dir: str) -> DecisionThreshold:
    """Return the decision threshold of a SavedModel, and what it was tuned for.

    Args:
        model_dir: Folder of the SavedModel, local or remote.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the file is damaged.

    Example:
        >>> read_decision_threshold('no-such-model')
        DecisionThreshold(threshold=0.5, aim=None)
    """
    path = posixpath.join(model_dir, 'assets.extra', THRESHOLD_ASSET)
    storage = storage_of(path)
    if not storage.exists(path):
        return DecisionThreshold(threshold=DEFAULT_THRESHOLD)
    with storage.GFile(path, 'rb') as file:
        content = file.read()
    try:
        found = _FORMAT.validate_json(content, strict=True)
    except ValueError as err:
        reason = ' '.join(str(err).split())[:200]
        raise ValueError(f'{path}: expected a decision threshold, got {reason}') from err
    if not 0 < found.threshold < 1:
        raise ValueError(f'{path}: expected a threshold in (0, 1), got {found.threshold!r}')
    return found


def read_threshold(model_dir: str) -> float:
    """Return the decision threshold of a SavedModel, in (0, 1), see `read_decision_threshold`.

    Example:
        >>> read_threshold('no-such-model')
        0.5
    """
    return read_decision_threshold(model_dir).threshold
