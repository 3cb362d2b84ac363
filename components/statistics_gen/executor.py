"""Computes TFDV's statistics of all splits in one pass and one Beam graph.

TFX's executor builds a graph of some 150 transforms for each split, which
costs more than the statistics do, and sends each text through a shuffle to
count it. Here a worker folds a file into TFDV's own accumulators, and only
these are sent on and merged. In the same pass it counts what the report says
of the texts and TFDV does not.
"""

from __future__ import annotations

import collections
import pickle
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import (
    basic_stats_generator,
    stats_generator,
    top_k_uniques_sketch_stats_generator,
)
from tensorflow_data_validation.statistics.stats_options import StatsOptions
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.components.statistics_gen import executor as tfx_executor
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils
from tfx_bsl.public.tfxio import RecordBatchesOptions

from components import features
from components.beam_jobs import finished
from components.errors import DataError
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.described import FILE, to_json
from components.statistics_gen.texts import Texts, describe
from components.whole_files import UNFINISHED, clear_unfinished, write_whole

_BATCH_EXAMPLES = 1_000
# Sketches are exact up to their size. Beyond it, the number of distinct values is off by about
# 0.1%, and a frequency is too low by at most one 32,768th of all examples. Memory is bounded by
# that many of the texts: 42 MB of IMDB's.
_DISTINCT_VALUES = 1 << 20
_FREQUENT_VALUES = 1 << 15


_TEXTS = 'texts'


class FoldFile(beam.DoFn):
    """Turns (split, file) into (split, pickled accumulators of the file).

    Into the output `texts` goes (0, (split, Texts of the file)).
    """

    def __init__(self, examples: Any) -> None:
        self._examples = examples

    def process(self, element: tuple[str, str]) -> Iterator[Any]:
        split, path = element
        texts = Texts()
        generators = make_generators()
        accumulators = [generator.create_accumulator() for generator in generators]
        source = tfxio_utils.get_tfxio_factory_from_artifact([self._examples], ['StatisticsGen'])
        options = RecordBatchesOptions(_BATCH_EXAMPLES, num_epochs=1, shuffle=False)
        for batch in source(path).RecordBatches(options):
            accumulators = [
                generator.add_input(accumulator, batch)
                for generator, accumulator in zip(generators, accumulators)
            ]
            texts.add(batch)
        yield split, pickle.dumps(accumulators, protocol=pickle.HIGHEST_PROTOCOL)
        yield beam.pvalue.TaggedOutput(_TEXTS, (0, (split, texts)))


class WriteStatistics(beam.DoFn):
    """Merges the accumulators of a split and writes its statistics."""

    def __init__(self, statistics_uri: str) -> None:
        self._uri = statistics_uri

    def process(self, element: tuple[str, Iterable[bytes]]) -> None:
        split, parts = element
        generators = make_generators()
        accumulators = [generator.create_accumulator() for generator in generators]
        for part in parts:
            accumulators = [
                generator.merge_accumulators([accumulator, other])
                for generator, accumulator, other in zip(
                    generators, accumulators, pickle.loads(part)
                )
            ]
        statistics = stats_impl.extract_statistics_output(accumulators, generators)
        path = _statistics_path(self._uri, split)
        write_whole(path, statistics.SerializeToString(), _unfinished(self._uri))


class WriteDescribed(beam.DoFn):
    """Merges the Texts of all files, and writes what `read_described` reads."""

    def __init__(self, statistics_uri: str) -> None:
        self._uri = statistics_uri

    def process(self, element: tuple[int, Iterable[tuple[str, Texts]]]) -> None:
        by_split: dict[str, Texts] = collections.defaultdict(Texts)
        for split, part in element[1]:
            by_split[split].merge(part)
        path = posixpath.join(self._uri, FILE)
        write_whole(path, to_json(describe(by_split)), _unfinished(self._uri))


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of StatisticsGen: all splits, all examples, TFDV's default statistics."""

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `Split-NAME/FeatureStats.pb` for each split, as TFX's executor does.

        And `report/described.json`, see `described`.

        Raises:
            ComponentError: If there are not as many examples as ExampleGen wrote.
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
        files = [(split, path) for split in splits for path in _files(examples, split)]
        with finished(self._make_beam_pipeline(), 'StatisticsGen') as pipeline:
            folded = (
                pipeline
                | 'Files' >> beam.Create(files)
                | 'Fold' >> beam.ParDo(FoldFile(examples)).with_outputs(_TEXTS, main='folded')
            )
            _ = (
                folded.folded
                | 'BySplit' >> beam.GroupByKey()
                | 'Write' >> beam.ParDo(WriteStatistics(statistics.uri))
            )
            _ = (
                folded[_TEXTS]
                | 'Together' >> beam.GroupByKey()
                | 'Describe' >> beam.ParDo(WriteDescribed(statistics.uri))
            )
        clear_unfinished(_unfinished(statistics.uri), 'StatisticsGen')
        summary = ExamplesSummary.read(examples.uri)
        for split in splits:
            found = statistics_pb2.DatasetFeatureStatisticsList()
            with fileio.open(_statistics_path(statistics.uri, split), 'rb') as file:
                found.ParseFromString(file.read())
            summary.require('StatisticsGen', [split], int(found.datasets[0].num_examples))


def make_generators() -> list[stats_generator.CombinerStatsGenerator]:
    """Make the generators of TFDV's default statistics, all of them mergeable."""
    options = StatsOptions()
    return [
        basic_stats_generator.BasicStatsGenerator(
            num_values_histogram_buckets=options.num_values_histogram_buckets,
            num_histogram_buckets=options.num_histogram_buckets,
            num_quantiles_histogram_buckets=options.num_quantiles_histogram_buckets,
            epsilon=options.epsilon,
        ),
        top_k_uniques_sketch_stats_generator.TopKUniquesSketchStatsGenerator(
            schema=_WHOLE_TEXTS,
            num_top_values=options.num_top_values,
            num_rank_histogram_buckets=options.num_rank_histogram_buckets,
            num_misragries_buckets=_FREQUENT_VALUES,
            num_kmv_buckets=_DISTINCT_VALUES,
        ),
    ]


# Otherwise TFDV takes all texts of more than 1,024 bytes for one and the same value.
_WHOLE_TEXTS = schema_pb2.Schema(
    feature=[
        schema_pb2.Feature(
            name=features.TEXT_KEY,
            type=schema_pb2.BYTES,
            string_domain=schema_pb2.StringDomain(
                is_categorical=schema_pb2.StringDomain.CATEGORICAL_YES
            ),
        )
    ]
)


def _statistics_path(uri: str, split: str) -> str:
    return posixpath.join(uri, f'Split-{split}', tfx_executor.DEFAULT_FILE_NAME)


def _unfinished(uri: str) -> str:
    return posixpath.join(uri, UNFINISHED)


def _files(examples: Any, split: str) -> list[str]:
    uri = artifact_utils.get_split_uri([examples], split)
    paths = sorted(fileio.glob(posixpath.join(uri, '*')))
    if not paths:
        raise DataError(
            f'the split {split!r} has no files in {uri}',
            hint='the output of ExampleGen was deleted: run with another --root',
        )
    return paths
