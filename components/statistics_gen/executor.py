"""StatisticsGen's executor: computes statistics of all splits in one Beam graph."""

from __future__ import annotations

import posixpath
from typing import Any

import apache_beam as beam
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen import executor as tfx_executor
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.beam_jobs.run import run_beam_pipeline
from components.common.atomic_write import clear_unfinished, unfinished_dir
from components.common.errors import DataError
from components.common.word_counts import number_of_parts
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.text_statistics import TEXT_STATISTICS_FILE
from components.statistics_gen.workers import WriteStatistics, WriteTextStatistics


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of StatisticsGen: all splits, all examples, TFDV's default statistics."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `Split-NAME/FeatureStats.pb` for each split, as TFX's executor does.

        Also write `report/text_statistics.json`, see `text_statistics`.

        Raises:
            ComponentError: If the number of examples is not the one that ExampleGen wrote.
            DataError: If a split has no files.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            input_dict[standard_component_specs.EXAMPLES_KEY]
        )
        statistics = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.STATISTICS_KEY]
        )
        splits = artifact_utils.decode_split_names(examples.split_names)
        statistics.split_names = examples.split_names
        statistics.span = examples.span
        statistics.set_json_value_custom_property(
            tfx_executor.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME,
            json_utils.dumps(dict.fromkeys(splits, 1.0)),
        )
        by_split = {split: _files(examples.uri, split) for split in splits}
        paths = {split: _statistics_path(statistics.uri, split) for split in splits}
        text_statistics = posixpath.join(statistics.uri, TEXT_STATISTICS_FILE)
        files = [(split, path) for split in splits for path in by_split[split]]
        with run_beam_pipeline(self._make_beam_pipeline(), 'StatisticsGen') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(files, reshuffle=True)
                | 'Statistics'
                >> WriteStatistics(
                    paths,
                    text_statistics,
                    texts_parts=_texts_parts(examples.uri, splits),
                    most_files=max(map(len, by_split.values())),
                )
            )
        clear_unfinished(unfinished_dir(text_statistics), 'StatisticsGen')
        require_all_counted(examples.uri, statistics.uri, splits)


def write_text_statistics(
    pipeline: beam.Pipeline, examples: str, statistics: str, splits: list[str]
) -> None:
    """Write only `report/text_statistics.json`.

    Args:
        pipeline: A Beam pipeline without transforms.
        examples: Folder of the Examples artifact.
        statistics: Folder of the artifact with the statistics.
        splits: The splits to count, `train` among them.

    Raises:
        DataError: If a split has no files.
    """
    path = posixpath.join(statistics, TEXT_STATISTICS_FILE)
    files = [(split, file) for split in splits for file in _files(examples, split)]
    with run_beam_pipeline(pipeline, 'StatisticsGen') as running:
        _ = (
            running
            | 'Files' >> beam.Create(files, reshuffle=True)
            | 'Texts' >> WriteTextStatistics(path, texts_parts=_texts_parts(examples, splits))
        )
    clear_unfinished(unfinished_dir(path), 'StatisticsGen')


def require_all_counted(examples: str, statistics: str, splits: list[str]) -> None:
    """Check that the statistics of each split are those of all its examples.

    Args:
        examples: Folder of the Examples artifact.
        statistics: Folder of the artifact with the statistics.
        splits: The splits that have statistics.

    Raises:
        ComponentError: If the number of examples is not the one that ExampleGen wrote.
    """
    summary = ExamplesSummary.read(examples)
    for split in splits:
        found = statistics_pb2.DatasetFeatureStatisticsList()
        with fileio.open(_statistics_path(statistics, split), 'rb') as file:
            found.ParseFromString(file.read())
        summary.require('StatisticsGen', [split], int(found.datasets[0].num_examples))


def _texts_parts(examples: str, splits: list[str]) -> int:
    return number_of_parts(sum(map(ExamplesSummary.read(examples).examples, splits)))


def _statistics_path(uri: str, split: str) -> str:
    return posixpath.join(uri, f'Split-{split}', tfx_executor.DEFAULT_FILE_NAME)


def _files(uri: str, split: str) -> list[str]:
    paths = split_files(uri, split)
    if not paths:
        raise DataError(
            f'the split {split!r} has no files in {uri}',
            hint='the output of ExampleGen was deleted: run with another --root',
        )
    return paths
