"""Counts the words of examples, and writes vocabularies."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf

from components.common.atomic_write import atomic_write, unfinished_dir

_TEXTS_PER_BATCH = 1_000
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


class WordCounts(NamedTuple):
    """Occurrences of each word, in UTF-8, the number of different words, and of examples."""

    words: Counter[bytes]
    distinct: int
    examples: int


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
    a file that it reads, and sends one table per file. Counts are exact.

    Args:
        files: Gzipped TFRecord files.
        graph: What makes words from the examples.
        vocabularies: By the path to write, in the order of the outputs of `graph`.
        parts: Number of parts that the words are divided into: a worker holds
            at most all words of one part, and the last worker only those to keep.
    """
    return (
        files
        | 'Count' >> beam.FlatMap(_count_by_part, graph, list(vocabularies), parts)
        | 'Merge' >> beam.CombinePerKey(_MergeFn())
        | 'Keep' >> beam.Map(_keep, vocabularies)
        | 'Together' >> beam.GroupByKey()
        | 'Write' >> beam.MapTuple(lambda path, counts: _write(path, counts, vocabularies[path]))
    )


def most_frequent(
    counts: Counter[bytes], *, top_k: int | None, min_count: float = 1
) -> list[bytes]:
    """Return the words to keep, in the order of their ids.

    >>> most_frequent(Counter({b'a': 2, b'b': 2, b'c': 1, b'd': 3}), top_k=9, min_count=2)
    [b'd', b'b', b'a']
    """
    kept = ((count, word) for word, count in counts.items() if count >= min_count)
    return [word for _, word in sorted(kept, reverse=True)[:top_k]]


def count_words(files: Sequence[str], graph: WordGraph) -> list[WordCounts]:
    """Count the words of all examples in gzipped TFRecord files, for each vocabulary."""

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
    totals: list[Counter[bytes]] = [Counter() for _ in graph.outputs]
    number_of_examples = 0
    for by_vocabulary, size in batch_counts.as_numpy_iterator():
        number_of_examples += int(size)
        for total, (words, counts) in zip(totals, by_vocabulary):
            for word, number in zip(words.tolist(), counts.tolist()):
                total[word] += number
    for total in totals:
        for word in [word for word in total if not word or b'\n' in word or b'\r' in word]:
            # A line of a vocabulary file is a word, so TFT leaves these out.
            del total[word]
    return [WordCounts(total, len(total), number_of_examples) for total in totals]


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


def write_vocabulary(path: str, counts: WordCounts, vocabulary: Vocabulary) -> WrittenVocabulary:
    """Write the words to keep, a line each, in the order of their ids."""
    words = most_frequent(counts.words, top_k=vocabulary.top_k, min_count=vocabulary.min_count)
    written = WrittenVocabulary(path, len(words), counts.distinct, counts.examples)
    text = b''.join(word + b'\n' for word in words or [_NO_WORD])
    atomic_write(path, text, part_dir=unfinished_dir(path))
    numbers = written._asdict()
    del numbers['path']
    atomic_write(_counts_path(path), json.dumps(numbers).encode(), part_dir=unfinished_dir(path))
    return written


def _write_count(count: int, path: str) -> None:
    atomic_write(path, str(count), part_dir=unfinished_dir(path))


def _counts_path(path: str) -> str:
    return f'{path}.counts'


def _write(path: str, counts: Iterable[WordCounts], vocabulary: Vocabulary) -> None:
    write_vocabulary(path, _MergeFn().merge_accumulators(counts), vocabulary)


def _keep(
    element: tuple[tuple[str, int], WordCounts], vocabularies: Mapping[str, Vocabulary]
) -> tuple[str, WordCounts]:
    """Drop the words of a part that cannot be in the vocabulary."""
    (path, _), counts = element
    vocabulary = vocabularies[path]
    kept = most_frequent(counts.words, top_k=vocabulary.top_k, min_count=vocabulary.min_count)
    words = Counter({word: counts.words[word] for word in kept})
    return path, WordCounts(words, len(counts.words), counts.examples)


def _count_by_part(
    file: str, graph: WordGraph, paths: Sequence[str], parts: int
) -> Iterator[tuple[tuple[str, int], WordCounts]]:
    """Turn a file into the WordCounts of each vocabulary and part; the first counts examples."""
    for path, counts in zip(paths, count_words([file], graph)):
        if parts == 1:
            yield (path, 0), counts
            continue
        by_part: list[Counter[bytes]] = [Counter() for _ in range(parts)]
        for word, number in counts.words.items():
            # Python's hash differs from process to process.
            by_part[zlib.crc32(word) % parts][word] = number
        for part, words in enumerate(by_part):
            yield (path, part), WordCounts(words, len(words), 0 if part else counts.examples)


class _MergeFn(beam.CombineFn):
    """Adds up counts; parts have no word in common, so their different words add up, too."""

    def create_accumulator(self) -> WordCounts:
        return WordCounts(Counter(), 0, 0)

    def add_input(self, accumulator: WordCounts, element: WordCounts) -> WordCounts:
        accumulator.words.update(element.words)
        return WordCounts(
            accumulator.words,
            accumulator.distinct + element.distinct,
            accumulator.examples + element.examples,
        )

    def merge_accumulators(self, accumulators: Iterable[WordCounts]) -> WordCounts:
        total = self.create_accumulator()
        for accumulator in accumulators:
            total = self.add_input(total, accumulator)
        return total

    def extract_output(self, accumulator: WordCounts) -> WordCounts:
        return accumulator
