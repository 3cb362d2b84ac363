"""Worker code of StatisticsGen: folds files into accumulators, and merges these.

TFX's executor builds a graph of some 150 transforms for each split, which
costs more than the statistics do, and sends each text through a shuffle to
count it. Here a worker folds a file into TFDV's own accumulators, and into the
counts of its texts, and sends only these on to be merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
from components.common.atomic_write import atomic_write, unfinished_dir
from components.statistics_gen.text_counts import (
    PartSummary,
    TextCounts,
    merge_summaries,
    summarize_part,
)
from components.statistics_gen.text_statistics import to_json

_BATCH_EXAMPLES = 1_000
# Sketches are exact up to their size. Beyond it, the number of distinct values is off by about
# 0.1%, and a frequency is too low by at most one 32,768th of all examples. They hold as many
# texts: 42 MB of IMDB.
_DISTINCT_VALUES = 1 << 20
_FREQUENT_VALUES = 1 << 15
# Files of a split for each worker that merges before the last one does; on average, as each bundle
# chooses one of these workers at random.
_FILES_PER_MERGE = 64

_TEXTS = 'texts'

Accumulators = list[Any]


class WriteStatistics(beam.PTransform):
    """Writes the statistics of pairs of split and examples file.

    Args:
        paths: By split, the file of its statistics.
        text_statistics: The file for `read_text_statistics`.
        texts_parts: Number of parts that words and texts are divided into: no
            worker holds the words and digests of more than one.
        most_files: Number of files of the split with most of them.
    """

    def __init__(
        self, paths: Mapping[str, str], text_statistics: str, *, texts_parts: int, most_files: int
    ) -> None:
        super().__init__()
        self._paths = dict(paths)
        self._text_statistics = text_statistics
        self._texts_parts = texts_parts
        self._most_files = most_files

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        fold = beam.ParDo(_FoldFile(self._texts_parts))
        folded = files | 'Fold' >> fold.with_outputs(_TEXTS, main='folded')
        merge = beam.CombinePerKey(_Merge(_merge_accumulators))
        mergers = merging_workers(self._most_files)
        if mergers > 1:
            # Otherwise one worker for each of the four splits would merge the accumulators.
            merge = merge.with_hot_key_fanout(mergers)
        unfinished = unfinished_dir(self._text_statistics)
        _ = (
            folded.folded
            | 'BySplit' >> merge
            | 'Write' >> beam.Map(_write_statistics, self._paths, unfinished)
        )
        return folded[_TEXTS] | _SummarizeTexts(self._text_statistics)


class WriteTextStatistics(beam.PTransform):
    """Writes only the statistics of the texts of pairs of split and examples file.

    Args:
        path: The file for `read_text_statistics`.
        texts_parts: See `WriteStatistics`.
    """

    def __init__(self, path: str, *, texts_parts: int) -> None:
        super().__init__()
        self._path = path
        self._texts_parts = texts_parts

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        fold = beam.ParDo(_FoldTexts(self._texts_parts))
        return files | 'Fold' >> fold | _SummarizeTexts(self._path)


class _SummarizeTexts(beam.PTransform):
    """Merges and writes (part, {split: TextCounts})."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def expand(self, texts: beam.PCollection) -> beam.PCollection:
        return (
            texts
            | 'ByWord' >> beam.CombinePerKey(_Merge(_merge_texts))
            | 'Summarize' >> beam.MapTuple(_summarize)
            | 'Together' >> beam.GroupByKey()
            | 'WriteTexts' >> beam.Map(_write_text_statistics, self._path)
        )


def merging_workers(files: int) -> int:
    """Return how many workers merge accumulators before the last one does.

    >>> merging_workers(64), merging_workers(65), merging_workers(129)
    (1, 2, 3)
    """
    return -(-files // _FILES_PER_MERGE)


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


class _FoldFile(beam.DoFn):
    """Turns (split, file) into (split, accumulators of the file).

    The output `texts` is (part, {split: TextCounts}) for each part of the texts.
    """

    def __init__(self, texts_parts: int) -> None:
        self._texts_parts = texts_parts

    def process(self, element: tuple[str, str]) -> Iterator[Any]:
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
        yield split, accumulators
        for number, part in enumerate(texts.divide(self._texts_parts)):
            yield beam.pvalue.TaggedOutput(_TEXTS, (number, {split: part}))


class _FoldTexts(beam.DoFn):
    """Turns (split, file) into (part, {split: TextCounts}) for each part of the texts."""

    def __init__(self, texts_parts: int) -> None:
        self._texts_parts = texts_parts

    def process(self, element: tuple[str, str]) -> Iterator[Any]:
        split, path = element
        texts = TextCounts()
        for batch in _batches(path):
            texts.add(batch)
        for number, part in enumerate(texts.divide(self._texts_parts)):
            yield number, {split: part}


def _batches(path: str) -> Iterator[pa.RecordBatch]:
    source = TFExampleRecord(path, telemetry_descriptors=['StatisticsGen'])
    options = RecordBatchesOptions(_BATCH_EXAMPLES, num_epochs=1, shuffle=False)
    yield from source.RecordBatches(options)


class _Merge(beam.CombineFn):
    """Merges values two at a time, so that a worker holds few of them.

    The accumulator is None at first: merging a sketch with an empty one takes as
    long as with a full one.
    """

    def __init__(self, merge_two: Callable[[Any, Any], Any]) -> None:
        self._merge_two = merge_two

    def create_accumulator(self) -> None:
        return None

    def add_input(self, accumulator: Any, element: Any) -> Any:
        return self.merge_accumulators([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        present = (value for value in accumulators if value is not None)
        total = next(present, None)
        for value in present:
            total = self._merge_two(total, value)
        return total

    def extract_output(self, accumulator: Any) -> Any:
        return accumulator


def _merge_accumulators(one: Accumulators, other: Accumulators) -> Accumulators:
    return [
        generator.merge_accumulators(pair)
        for generator, *pair in zip(make_generators(), one, other)
    ]


def _merge_texts(one: dict[str, TextCounts], other: dict[str, TextCounts]) -> dict[str, TextCounts]:
    for split, texts in other.items():
        if split in one:
            one[split].merge(texts)
        else:
            one[split] = texts
    return one


def _summarize(part: int, texts: Mapping[str, TextCounts]) -> tuple[int, dict[str, PartSummary]]:
    return 0, summarize_part(texts)


def _write_statistics(
    element: tuple[str, Accumulators], paths: Mapping[str, str], unfinished: str
) -> None:
    split, accumulators = element
    statistics = stats_impl.extract_statistics_output(accumulators, make_generators())
    atomic_write(paths[split], statistics.SerializeToString(), part_dir=unfinished)


def _write_text_statistics(
    element: tuple[int, Iterable[Mapping[str, PartSummary]]], path: str
) -> None:
    atomic_write(path, to_json(merge_summaries(element[1])), part_dir=unfinished_dir(path))
