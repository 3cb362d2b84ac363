"""Counts the words of examples, and writes vocabularies."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from components.common.atomic_write import atomic_file, atomic_write, unfinished_dir
from components.common.storage import storage_of
from components.common.word_counts import WordCounter, WordCounts
from components.common.worker_files import StoredValue, WorkerFiles

_TEXTS_PER_BATCH = 1_000
# Words, of all parts together, that the last worker holds.
_MERGED_ROWS = 1 << 19
# What TFT writes if there is no word, because TensorFlow makes no table from an empty file.
_NO_WORD = b'49d0cd50-04bb-48c0-bc6f-5b575dce351a'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Which words a vocabulary has.

    Attributes:
        name: Name of its file.
        top_k: Largest number of words, the most frequent ones; None: all.
        min_count: Fewest occurrences of a word.
    """

    name: str
    top_k: int | None
    min_count: float = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordGraph:
    """A TensorFlow graph that makes words from examples.

    Attributes:
        graph_def: The graph, a serialized GraphDef.
        feature_spec: The features of the examples that it reads.
        inputs: For each feature, the names of its placeholders: one for each
            component of the parsed feature.
        outputs: For each vocabulary, the name of a tensor: its words, tf.string `[words]`.
    """

    graph_def: bytes
    feature_spec: Mapping[str, Any]
    inputs: Mapping[str, Sequence[str]]
    outputs: Sequence[str]

    def words(self, examples: tf.Tensor) -> list[tf.Tensor]:
        """Return the words of serialized examples `[batch]`, for each vocabulary."""
        parsed = tf.io.parse_example(examples, dict(self.feature_spec))
        graph_def = tf.compat.v1.GraphDef.FromString(self.graph_def)
        nodes = {node.name for node in graph_def.node}
        components = {
            name: tensor
            for feature, names in self.inputs.items()
            for name, tensor in zip(names, tf.nest.flatten(parsed[feature], expand_composites=True))
            if name.partition(':')[0] in nodes
        }
        words: list[tf.Tensor] = tf.graph_util.import_graph_def(
            graph_def, input_map=components, return_elements=list(self.outputs)
        )
        return words


class WrittenVocabulary(NamedTuple):
    """What was counted for a vocabulary.

    Attributes:
        path: The file of its words.
        kept: Number of words in the file.
        distinct: Number of different words in the examples.
        examples: Number of examples.
    """

    path: str
    kept: int
    distinct: int
    examples: int

    @classmethod
    def read(cls, path: str) -> WrittenVocabulary:
        """Read the counts beside the file of a vocabulary."""
        with tf.io.gfile.GFile(_counts_path(path), 'rb') as file:
            return cls(path, **json.loads(file.read()))


@beam.ptransform_fn
def WriteVocabularies(
    files: beam.PCollection,
    graph: WordGraph,
    vocabularies: Mapping[str, Vocabulary],
    *,
    parts: int = 1,
) -> beam.PCollection:
    """Write the words of files of examples, the most frequent first, into one file a vocabulary.

    Equally frequent words are in descending order, as in the vocabularies of
    TFT. TFT sends each word of each batch through a dozen Beam stages, which is
    three quarters of Transform's time on IMDB. Here a worker counts the words of
    a file that it reads, and stores them for the next one. Counts are exact.

    Args:
        files: Gzipped TFRecord files.
        graph: What makes words from the examples.
        vocabularies: By the path to write, in the order of the outputs of `graph`;
            all in one folder.
        parts: Number of parts that the words are divided into: a worker holds
            at most all words of one part, or of one file.
    """
    values = WorkerFiles(posixpath.dirname(next(iter(vocabularies))))
    return (
        files
        | 'Count' >> beam.FlatMap(_count_by_part, graph, values, list(vocabularies), parts)
        | 'ByPart' >> beam.GroupByKey()
        | 'Merge' >> beam.Map(_merge_part, values, vocabularies, _MERGED_ROWS // parts)
        | 'Together' >> beam.GroupByKey()
        | 'Write' >> beam.Map(_write, values, vocabularies)
    )


def words_to_keep(counts: WordCounts, vocabulary: Vocabulary) -> WordCounts:
    """Return the words of a vocabulary, in the order of their ids.

    >>> counts = WordCounts(pa.array([b'a', b'b', b'c', b'd']), np.array([2, 2, 1, 3]))
    >>> words_to_keep(counts, Vocabulary(name='', top_k=9, min_count=2)).words.to_pylist()
    [b'd', b'b', b'a']
    """
    kept = counts.where(counts.numbers >= vocabulary.min_count)
    if vocabulary.top_k is not None:
        kept = kept.most_frequent(vocabulary.top_k)
    order = pc.sort_indices(
        pa.table({'number': kept.numbers, 'word': kept.words}),
        sort_keys=[('number', 'descending'), ('word', 'descending')],
    )
    return kept.take(order.to_numpy()[: vocabulary.top_k])


def count_words(files: Sequence[str], graph: WordGraph) -> tuple[list[WordCounts], int]:
    """Count the words of all examples in gzipped TFRecord files.

    Returns:
        For each vocabulary its words, large_binary; and the number of examples.
    """

    def count(examples: tf.Tensor) -> tuple[tuple[tuple[tf.Tensor, tf.Tensor], ...], tf.Tensor]:
        unique = [tf.unique_with_counts(words, tf.int64) for words in graph.words(examples)]
        return tuple((words.y, words.count) for words in unique), tf.size(examples)

    batch_counts = (
        tf.data.TFRecordDataset(list(files), 'GZIP')
        .batch(_TEXTS_PER_BATCH)
        .map(
            tf.autograph.experimental.do_not_convert(count),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
    )
    counters = [WordCounter(pa.large_binary()) for _ in graph.outputs]
    number_of_examples = 0
    for by_vocabulary, size in batch_counts.as_numpy_iterator():
        number_of_examples += int(size)
        for counter, (words, numbers) in zip(counters, by_vocabulary):
            counter.add(WordCounts(pa.array(words, pa.large_binary()), numbers))
    return [_lines(counter.counts()) for counter in counters], number_of_examples


def _lines(counts: WordCounts) -> WordCounts:
    """Leave out what is no line of a vocabulary file, as TFT does."""
    left_out = pc.equal(pc.binary_length(counts.words), 0)
    for line_break in ('\n', '\r'):
        left_out = pc.or_(left_out, pc.match_substring(counts.words, line_break))
    return counts.where(~left_out.to_numpy(zero_copy_only=False))


@beam.ptransform_fn
def WriteExampleCount(files: beam.PCollection, path: str) -> beam.PCollection:
    """Write the number of examples in gzipped TFRecord files into the file `path`."""
    return (
        files
        | 'Count' >> beam.Map(count_examples)
        | 'Add' >> beam.CombineGlobally(sum)
        | 'Write' >> beam.Map(_write_count, path)
    )


def count_examples(file: str) -> int:
    """Return the number of examples in a gzipped TFRecord file."""
    count: tf.Tensor = tf.data.TFRecordDataset(file, 'GZIP').reduce(
        tf.constant(0, tf.int64), lambda number, _: number + 1
    )
    return int(count)


def _write_count(count: int, path: str) -> None:
    atomic_write(path, str(count), part_dir=unfinished_dir(path))


def _counts_path(path: str) -> str:
    return f'{path}.counts'


def _count_by_part(
    file: str, graph: WordGraph, values: WorkerFiles, paths: Sequence[str], parts: int
) -> Iterator[tuple[tuple[str, int], tuple[int, StoredValue]]]:
    """Turn a file into ((path, part), (examples, stored WordCounts)); the first counts examples."""
    by_vocabulary, examples = count_words([file], graph)
    for path, counts in zip(paths, by_vocabulary):
        for part, stored in enumerate(values.store(counts.divide(parts))):
            yield (path, part), (0 if part else examples, stored)


def _merge_part(
    element: tuple[tuple[str, int], Iterable[tuple[int, StoredValue]]],
    values: WorkerFiles,
    vocabularies: Mapping[str, Vocabulary],
    rows: int,
) -> tuple[str, tuple[int, int, StoredValue]]:
    """Return the path, the numbers of examples and words, and the stored `rows` of words to keep.

    These are a stored list of stored WordCounts, of so many rows each, in order.
    """
    (path, _), files = element
    counter = WordCounter(pa.large_binary())
    examples = 0
    for examples_of_file, stored in files:
        examples += examples_of_file
        counter.add(values.load(stored))
    counts = counter.counts()
    kept = words_to_keep(counts, vocabularies[path])
    total = len(kept.words)
    sorted_rows = values.store(
        kept.take(np.arange(start, min(start + rows, total))) for start in range(0, total, rows)
    )
    return path, (examples, len(counts.words), values.store([sorted_rows])[0])


def _write(
    element: tuple[str, Iterable[tuple[int, int, StoredValue]]],
    values: WorkerFiles,
    vocabularies: Mapping[str, Vocabulary],
) -> None:
    path, parts = element
    # Parts have no word in common, so their different words add up.
    examples, distinct, stored = zip(*parts)
    words = heapq.merge(*(_sorted_words(rows, values) for rows in stored), reverse=True)
    kept = 0
    with (
        atomic_file(path, part_dir=values.folder) as part,
        storage_of(part).GFile(part, 'wb') as file,
    ):
        for _, word in itertools.islice(words, vocabularies[path].top_k):
            file.write(word + b'\n')
            kept += 1
        if not kept:
            file.write(_NO_WORD + b'\n')
    numbers = {'kept': kept, 'distinct': sum(distinct), 'examples': sum(examples)}
    atomic_write(_counts_path(path), json.dumps(numbers), part_dir=values.folder)


def _sorted_words(stored: StoredValue, values: WorkerFiles) -> Iterator[tuple[int, bytes]]:
    for rows in values.load(stored):
        counts = values.load(rows)
        yield from zip(counts.numbers.tolist(), counts.words.to_pylist())
