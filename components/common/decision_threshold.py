"""The decision threshold of a model: the probability above which a text is positive."""

from __future__ import annotations

import json
import posixpath

from tfx.dsl.io import fileio

DEFAULT_THRESHOLD = 0.5
THRESHOLD_ASSET = 'threshold.json'  # in assets.extra/; a model without it has the default


def read_threshold(model_dir: str) -> float:
    """Return the decision threshold of a SavedModel, in (0, 1).

    A text is positive if its probability is above the threshold.

    Args:
        model_dir: Folder of the SavedModel, local or remote.

    Raises:
        ValueError: If the file is damaged.

    Example:
        read_threshold('runs/serving/sentiment/1764000000')
    """
    path = posixpath.join(model_dir, 'assets.extra', THRESHOLD_ASSET)
    if not fileio.exists(path):
        return DEFAULT_THRESHOLD
    with fileio.open(path) as file:
        content = json.loads(file.read())
    threshold = content.get('threshold') if isinstance(content, dict) else None
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        raise ValueError(f'{path}: expected a threshold in (0, 1), got {threshold!r}')
    return threshold
