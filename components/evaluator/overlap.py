"""Reads how many texts of `test` are also in `train` or `val`."""

from __future__ import annotations

import logging
import math
import posixpath
from typing import Any

import tensorflow as tf
from tfx.types import artifact_utils, standard_component_specs

from components.common import features
from components.statistics_gen.text_statistics import TEXT_STATISTICS_FILE, parse_text_statistics

_log = logging.getLogger(__name__)


def read_overlap_percent(input_dict: dict[str, list[Any]], examples: int) -> float:
    """Return the percentage of the texts of `test` that are also in `train` or `val`.

    Args:
        input_dict: The inputs of the Evaluator.
        examples: Number of examples of `test`.

    Returns:
        A number in [0, 100]. NaN, which the gate refuses, if there are no such statistics,
        or they are those of another number of examples.
    """
    artifacts = input_dict.get(standard_component_specs.STATISTICS_KEY)
    if not artifacts:
        return math.nan
    uri = artifact_utils.get_single_uri(artifacts)
    try:
        with tf.io.gfile.GFile(posixpath.join(uri, TEXT_STATISTICS_FILE), 'rb') as file:
            statistics = parse_text_statistics(file.read())
    except (tf.errors.NotFoundError, ValueError) as err:
        _log.warning('the statistics of the texts in %s cannot be read: %s', uri, err)
        return math.nan
    for split in statistics.splits:
        if split.name == features.TEST_SPLIT and split.seen is not None and split.examples:
            return 100 * split.seen / split.examples if split.examples == examples else math.nan
    return math.nan
