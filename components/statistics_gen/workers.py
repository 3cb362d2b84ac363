"""Worker code of StatisticsGen: folds files into accumulators, and merges these.

TFX's executor builds a graph of some 150 transforms for each split, which
costs more than the statistics do, and sends each text through a shuffle to
count it. Here a worker folds a file into TFDV's own accumulators, and into the
counts of its texts. It stores both, and sends only their names on to be merged.
"""

from __future__ import annotations

import functools
import itertools
import posixpath
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import pyarrow as pa
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
from components.common.atomic_write import atomic_write
from components.common.worker_files import StoredValue, WorkerFiles
from components.statistics_gen.text_counts import TextCounts, merge_summaries, summarize_part
from components.statistics_gen.text_statistics import to_json

_BATCH_EXAMPLES = 1_000
# Sketches are exact up to their size. Beyond it, the number of distinct values is off by about
# 0.1%, and a frequency is too low by at most one 32,768th of all examples. They hold as many
# texts: 42 MB of IMDB.
_DISTINCT_VALUES = 1 << 20
_FREQUENT_VALUES = 1 << 15
# Files of a split for each worker that merges before the last one does; on average, as the hash of
# a file's path chooses the worker.
_FILES_PER_MERGE = 64

_TEXTS = 'texts'

Accumulators = list[Any]


@beam.ptransform_fn
def WriteStatistics(
    files: beam.PCollection,
    paths: Mapping[str, str],
    text_statistics: str,
    *,
    texts_parts: int,
    most_files: int,
) -> beam.PCollection:
    """Write the statistics of pairs of split and examples file.

    Args:
        files: The pairs.
        paths: By split, the file of its statistics.
        text_statistics: The file for `read_text_statistics`.
        texts_parts: Number of parts that words and texts are divided into: no
            worker holds the words and digests of more than one, or of more than one file.
        most_files: Number of files of the split with most of them.
    """
    values = WorkerFiles(posixpath.dirname(text_statistics))
    mergers = -(-most_files // _FILES_PER_MERGE)
    fold = beam.FlatMap(_fold, values, texts_parts, mergers)
    folded = files | 'Fold' >> fold.with_outputs(_TEXTS, main='folded')
    _ = (
        folded.folded
        | 'ByMerger' >> beam.GroupByKey()
        | 'Merge' >> beam.Map(_store_merged, values)
        | 'BySplit' >> beam.GroupByKey()
        | 'Write' >> beam.Map(_write_statistics, values, paths)
    )
    return folded[_TEXTS] | _SummarizeTexts(values, text_statistics)


@beam.ptransform_fn
def WriteTextStatistics(
    files: beam.PCollection, path: str, *, texts_parts: int
) -> beam.PCollection:
    """Write only the statistics of the texts; see `WriteStatistics`."""
    values = WorkerFiles(posixpath.dirname(path))
    texts = files | 'Fold' >> beam.FlatMap(_fold_texts, values, texts_parts)
    return texts | _SummarizeTexts(values, path)


@beam.ptransform_fn
def _SummarizeTexts(texts: beam.PCollection, values: WorkerFiles, path: str) -> beam.PCollection:
    """Merge and write (part, (split, stored TextCounts))."""
    return (
        texts
        | 'ByPart' >> beam.GroupByKey()
        | 'Summarize' >> beam.Map(_summarize, values)
        | 'Together' >> beam.GroupByKey()
        | 'WriteTexts' >> beam.Map(_write_text_statistics, values, path)
    )


def make_generators() -> list[stats_generator.CombinerStatsGenerator]:
    """Make TFDV's generators of the default statistics, all of them mergeable."""
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


# Otherwise TFDV treats all texts of more than 1,024 bytes as one value.
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


def _fold(
    element: tuple[str, str], values: WorkerFiles, texts_parts: int, mergers: int
) -> Iterator[Any]:
    """Turn (split, file) into ((split, merger), stored accumulators of the file).

    The output `texts` is (part, (split, stored TextCounts)) for each part of the texts.
    """
    split, path = element
    texts = TextCounts()
    generators = make_generators()
    accumulators = [generator.create_accumulator() for generator in generators]
    for batch in _batches(path):
        accumulators = [
            generator.add_input(accumulator, batch)
            for generator, accumulator in zip(generators, accumulators)
        ]
        texts.add(batch)
    stored, *parts = values.store(itertools.chain([accumulators], texts.divide(texts_parts)))
    yield (split, zlib.crc32(path.encode()) % mergers), stored
    for number, part in enumerate(parts):
        yield beam.pvalue.TaggedOutput(_TEXTS, (number, (split, part)))


def _fold_texts(
    element: tuple[str, str], values: WorkerFiles, texts_parts: int
) -> Iterator[tuple[int, tuple[str, StoredValue]]]:
    split, path = element
    texts = TextCounts()
    for batch in _batches(path):
        texts.add(batch)
    for number, part in enumerate(values.store(texts.divide(texts_parts))):
        yield number, (split, part)


def _batches(path: str) -> Iterator[pa.RecordBatch]:
    source = TFExampleRecord(path, telemetry_descriptors=['StatisticsGen'])
    options = RecordBatchesOptions(_BATCH_EXAMPLES, num_epochs=1, shuffle=False)
    yield from source.RecordBatches(options)


def _merge(stored: Iterable[StoredValue], values: WorkerFiles) -> Accumulators:
    """Load and merge accumulators two at a time, so that a worker holds few of them."""
    generators = make_generators()
    return functools.reduce(
        lambda *pair: [
            generator.merge_accumulators(of_generator)
            for generator, of_generator in zip(generators, zip(*pair))
        ],
        map(values.load, stored),
    )


def _store_merged(
    element: tuple[tuple[str, int], Iterable[StoredValue]], values: WorkerFiles
) -> tuple[str, StoredValue]:
    (split, _), stored = element
    merged = list(stored)
    if len(merged) > 1:
        merged = values.store([_merge(merged, values)])
    return split, merged[0]


def _write_statistics(
    element: tuple[str, Iterable[StoredValue]], values: WorkerFiles, paths: Mapping[str, str]
) -> None:
    split, stored = element
    statistics = stats_impl.extract_statistics_output(_merge(stored, values), make_generators())
    atomic_write(paths[split], statistics.SerializeToString(), part_dir=values.folder)


def _summarize(
    element: tuple[int, Iterable[tuple[str, StoredValue]]], values: WorkerFiles
) -> tuple[int, StoredValue]:
    texts: dict[str, TextCounts] = {}
    for split, part in element[1]:
        counts = values.load(part)
        if split in texts:
            texts[split].merge(counts)
        else:
            texts[split] = counts
    return 0, values.store([summarize_part(texts)])[0]


def _write_text_statistics(
    element: tuple[int, Iterable[StoredValue]], values: WorkerFiles, path: str
) -> None:
    statistics = merge_summaries(map(values.load, element[1]))
    atomic_write(path, to_json(statistics), part_dir=values.folder)
