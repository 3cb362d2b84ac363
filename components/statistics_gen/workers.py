"""What StatisticsGen's workers do: fold files into accumulators, and merge these.

TFX's executor builds a graph of some 150 transforms for each split, which
costs more than the statistics do, and sends each text through a shuffle to
count it. Here a worker folds a file into TFDV's own accumulators, and only
these are sent on and merged. In the same pass it counts what the report says
of the texts and TFDV does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import (
    basic_stats_generator,
    stats_generator,
    top_k_uniques_sketch_stats_generator,
)
from tensorflow_data_validation.statistics.stats_options import StatsOptions
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.tfxio import RecordBatchesOptions, TFExampleRecord

from components.common import features
from components.common.atomic_write import atomic_write, unfinished_dir
from components.statistics_gen.described import to_json
from components.statistics_gen.describing import Sums, describe, sum_up
from components.statistics_gen.texts import Texts

_BATCH_EXAMPLES = 1_000
# Sketches are exact up to their size. Beyond it, the number of distinct values is off by about
# 0.1%, and a frequency is too low by at most one 32,768th of all examples. Memory is bounded by
# that many of the texts: 42 MB of IMDB's.
_DISTINCT_VALUES = 1 << 20
_FREQUENT_VALUES = 1 << 15
# Of the files of a split, no more go through one worker of those that merge for the last one; on
# average, as each bundle chooses one of them by chance.
_FILES_PER_MERGE = 64

_TEXTS = 'texts'

Accumulators = list[Any]


class WriteStatistics(beam.PTransform):
    """From (split, file of examples) to the statistics of each split, and what is said of all.

    Args:
        paths: By split, the file of its statistics.
        described: The file for what `read_described` reads.
        texts_parts: Into how many parts words and texts are shared out: no worker
            holds the words and digests of more than one.
        most_files: How many files the split with most of them has.
    """

    def __init__(
        self, paths: Mapping[str, str], described: str, *, texts_parts: int, most_files: int
    ) -> None:
        super().__init__()
        self._paths = dict(paths)
        self._described = described
        self._texts_parts = texts_parts
        self._most_files = most_files

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        fold = beam.ParDo(_FoldFile(self._texts_parts))
        folded = files | 'Fold' >> fold.with_outputs(_TEXTS, main='folded')
        merge = beam.CombinePerKey(_MergeAccumulators())
        mergers = merging_workers(self._most_files)
        if mergers > 1:
            # There are four splits, and a worker each would merge the accumulators of all files.
            merge = merge.with_hot_key_fanout(mergers)
        unfinished = unfinished_dir(self._described)
        _ = (
            folded.folded
            | 'BySplit' >> merge
            | 'Write' >> beam.Map(_write_statistics, self._paths, unfinished)
        )
        return (
            folded[_TEXTS]
            | 'ByWord' >> beam.CombinePerKey(_MergeTexts())
            | 'SumUp' >> beam.MapTuple(_sum_up)
            | 'Together' >> beam.GroupByKey()
            | 'Describe' >> beam.Map(_write_described, self._described)
        )


def merging_workers(files: int) -> int:
    """Return how many workers are to merge for the last one.

    >>> merging_workers(64), merging_workers(65), merging_workers(129)
    (1, 2, 3)
    """
    return -(-files // _FILES_PER_MERGE)


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


class _FoldFile(beam.DoFn):
    """Turns (split, file) into (split, accumulators of the file).

    Into the output `texts` goes (part, (split, Texts of the file)) of each part.
    """

    def __init__(self, texts_parts: int) -> None:
        self._texts_parts = texts_parts

    def process(self, element: tuple[str, str]) -> Iterator[Any]:
        split, path = element
        texts = Texts()
        generators = make_generators()
        accumulators = [generator.create_accumulator() for generator in generators]
        source = TFExampleRecord(path, telemetry_descriptors=['StatisticsGen'])
        options = RecordBatchesOptions(_BATCH_EXAMPLES, num_epochs=1, shuffle=False)
        for batch in source.RecordBatches(options):
            accumulators = [
                generator.add_input(accumulator, batch)
                for generator, accumulator in zip(generators, accumulators)
            ]
            texts.add(batch)
        yield split, accumulators
        for number, part in enumerate(texts.shared_out(self._texts_parts)):
            yield beam.pvalue.TaggedOutput(_TEXTS, (number, (split, part)))


class _MergeAccumulators(beam.CombineFn):
    """Merges TFDV's accumulators, and makes serialized statistics of them.

    Its own accumulator is None until there is something in it: to merge a sketch
    with an empty one takes as long as with a full one.
    """

    def create_accumulator(self) -> Accumulators | None:
        return None

    def add_input(
        self, accumulator: Accumulators | None, element: Accumulators
    ) -> Accumulators | None:
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(
        self, accumulators: Iterable[Accumulators | None]
    ) -> Accumulators | None:
        total = None
        for parts in accumulators:
            if total is None or parts is None:
                total = parts if total is None else total
                continue
            total = [
                generator.merge_accumulators([of_all, part])
                for generator, of_all, part in zip(make_generators(), total, parts)
            ]
        return total

    def extract_output(self, accumulator: Accumulators | None) -> bytes:
        generators = make_generators()
        if accumulator is None:
            accumulator = [generator.create_accumulator() for generator in generators]
        statistics = stats_impl.extract_statistics_output(accumulator, generators)
        serialized: bytes = statistics.SerializeToString()
        return serialized


class _MergeTexts(beam.CombineFn):
    """Merges the Texts of each split."""

    def create_accumulator(self) -> dict[str, Texts]:
        return {}

    def add_input(
        self, accumulator: dict[str, Texts], element: tuple[str, Texts]
    ) -> dict[str, Texts]:
        split, texts = element
        accumulator.setdefault(split, Texts()).merge(texts)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[dict[str, Texts]]) -> dict[str, Texts]:
        total = self.create_accumulator()
        for accumulator in accumulators:
            for element in accumulator.items():
                self.add_input(total, element)
        return total

    def extract_output(self, accumulator: dict[str, Texts]) -> dict[str, Texts]:
        return accumulator


def _sum_up(part: int, texts: Mapping[str, Texts]) -> tuple[int, dict[str, Sums]]:
    return 0, sum_up(texts)


def _write_statistics(
    element: tuple[str, bytes], paths: Mapping[str, str], unfinished: str
) -> None:
    split, statistics = element
    atomic_write(paths[split], statistics, part_dir=unfinished)


def _write_described(element: tuple[int, Iterable[Mapping[str, Sums]]], path: str) -> None:
    atomic_write(path, to_json(describe(element[1])), part_dir=unfinished_dir(path))
