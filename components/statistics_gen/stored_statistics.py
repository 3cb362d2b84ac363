"""Reads the statistics that StatisticsGen wrote, its own executor or TFX's."""

from __future__ import annotations

import pathlib

from google.protobuf import message
from tensorflow_metadata.proto.v0 import statistics_pb2


def read_statistics(uri: str, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Read the statistics of a split.

    Args:
        uri: The ExampleStatistics artifact.
        split: Name of the split.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it is damaged.
    """
    path = pathlib.Path(uri, f'Split-{split}', 'FeatureStats.pb')
    try:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    except message.DecodeError as err:
        raise ValueError(f'{path} is damaged: {err}') from err
