"""Reads the statistics of the feature columns that StatisticsGen wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common import features
from components.statistics_gen.stored_statistics import read_statistics
from pipeline.report.view import FeatureRow

_OF_EACH_EXAMPLE = (features.TEXT_KEY, features.LABEL_KEY, features.LENGTH_KEY)
_MOST_FREQUENT = 3


def read_feature_rows(statistics_uri: str, splits: Iterable[str]) -> tuple[FeatureRow, ...]:
    """Read the statistics of all feature columns, by column and split.

    Raises:
        OSError: If a file does not exist or cannot be read.
        ValueError: If a file is damaged.
    """
    rows = []
    for split in splits:
        for dataset in read_statistics(statistics_uri, split).datasets:
            rows += [
                _row(feature, split, dataset.num_examples)
                for feature in dataset.features
                if feature.path.step[0] not in _OF_EACH_EXAMPLE
            ]
    # The sort is stable: the splits of a column keep their order.
    return tuple(sorted(rows, key=lambda row: row.name))


def _row(feature: Any, split: str, examples: float) -> FeatureRow:
    numbers, strings = feature.num_stats, feature.string_stats
    if feature.HasField('num_stats'):
        present = numbers.common_stats.num_non_missing
        values = f'{numbers.min:g} to {numbers.max:g}, mean {numbers.mean:.4g}'
    else:
        present = strings.common_stats.num_non_missing
        shown = strings.top_values[:_MOST_FREQUENT]
        listed = ', '.join(f'{value.value} ({value.frequency:,.0f})' for value in shown)
        values = f'{strings.unique:,} different, most frequent: {listed}'
    return FeatureRow(
        name=feature.path.step[0],
        type=statistics_pb2.FeatureNameStatistics.Type.Name(feature.type).lower(),
        split=split,
        missing=1 - present / examples if examples else 0.0,
        values=values,
    )
