"""Counts the words of the training split."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import tensorflow as tf

from components.common import features
from components.common.atomic_write import atomic_write, unfinished_dir
from components.transform.text import Punctuation, tokenize

_TEXTS_PER_BATCH = 1_000


class Counted(NamedTuple):
    """What came of some files.

    Attributes:
        words: By word, in UTF-8, how often it occurs.
        texts: How many texts there were.
    """

    words: Counter[bytes]
    texts: int


class WriteVocabulary(beam.PTransform):
    """From files of examples to one file of words, the most frequent first.

    Of equally frequent words the one that sorts last comes first, as in the
    vocabularies of TFT, which sends each word of each batch through a dozen
    Beam stages: on IMDB three quarters of Transform's time. Here a file's
    words are counted where it is read, so that one table per file is sent. Counts
    are exact, whatever is shared out.

    Args:
        path: The file to write.
        count_path: A file to write the number of texts to.
        top_k: Keep at most so many words.
        min_count: Keep words that occur at least so often.
        punctuation: How texts become words, see `text.normalize`.
        parts: Into how many parts the words are shared out: no worker holds all
            words of more than one, and the last one only those that are kept.
    """

    def __init__(
        self,
        path: str,
        *,
        count_path: str,
        top_k: int,
        min_count: int = 1,
        punctuation: Punctuation = 'drop',
        parts: int = 1,
    ) -> None:
        super().__init__()
        self._punctuation: Punctuation = punctuation
        self._parts = parts
        self._path = path
        self._count_path = count_path
        self._kept = {'top_k': top_k, 'min_count': min_count}

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        return (
            files
            | 'Count' >> beam.ParDo(_CountWords(self._punctuation, self._parts))
            | 'Merge' >> beam.CombinePerKey(_MergeFn())
            | 'Keep' >> beam.Map(_keep, **self._kept)
            | 'Together' >> beam.GroupByKey()
            | 'Write' >> beam.Map(_write, self._path, self._count_path, **self._kept)
        )


def most_frequent(counts: Counter[bytes], *, top_k: int, min_count: int = 1) -> list[bytes]:
    """Put words in the order of their ids.

    >>> most_frequent(Counter({b'a': 2, b'b': 2, b'c': 1, b'd': 3}), top_k=9, min_count=2)
    [b'd', b'b', b'a']
    """
    kept = ((count, word) for word, count in counts.items() if count >= min_count)
    return [word for _, word in sorted(kept, reverse=True)[:top_k]]


def _keep(element: tuple[int, Counted], *, top_k: int, min_count: int) -> tuple[int, Counted]:
    """Leave out what cannot be among the words that are kept of all parts."""
    counted = element[1]
    words = most_frequent(counted.words, top_k=top_k, min_count=min_count)
    return 0, Counted(Counter({word: counted.words[word] for word in words}), counted.texts)


def _write(
    element: tuple[int, Iterable[Counted]], path: str, count_path: str, **kept: int
) -> None:
    counted = _MergeFn().merge_accumulators(element[1])
    write_vocabulary(counted.words, path, **kept)
    atomic_write(count_path, str(counted.texts).encode(), part_dir=unfinished_dir(count_path))


def write_vocabulary(counts: Counter[bytes], path: str, *, top_k: int, min_count: int = 1) -> None:
    """Write the words that are kept, a line each, in the order of their ids."""
    # TensorFlow makes no table from an empty file. No word has a space in it.
    words = most_frequent(counts, top_k=top_k, min_count=min_count) or [b' ']
    atomic_write(path, b''.join(word + b'\n' for word in words), part_dir=unfinished_dir(path))


def count_words(files: Sequence[str], punctuation: Punctuation = 'drop') -> Counted:
    """Count the words of all texts.

    Args:
        files: Gzipped TFRecords of examples.
        punctuation: How texts become words, see `text.normalize`.
    """
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}

    def count(examples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        text = tf.io.parse_example(examples, spec)[features.TEXT_KEY]
        words = tokenize(text, punctuation)
        unique, _, counts = tf.unique_with_counts(words.values, tf.int64)
        return unique, counts, tf.size(examples)

    batches = tf.data.TFRecordDataset(list(files), 'GZIP').batch(_TEXTS_PER_BATCH)
    counted = batches.map(
        tf.autograph.experimental.do_not_convert(count),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=False,
    )
    total: Counter[bytes] = Counter()
    texts = 0
    for unique, counts, size in counted.as_numpy_iterator():
        texts += int(size)
        for word, number in zip(unique.tolist(), counts.tolist()):
            total[word] += number
    return Counted(total, texts)


class _CountWords(beam.DoFn):
    """Turns a file into (part, Counted) of each part of its words; the first has the texts."""

    def __init__(self, punctuation: Punctuation, parts: int) -> None:
        self._punctuation: Punctuation = punctuation
        self._parts = parts

    def process(self, file: str) -> Iterator[tuple[int, Counted]]:
        counted = count_words([file], self._punctuation)
        if self._parts == 1:
            yield 0, counted
            return
        parts: list[Counter[bytes]] = [Counter() for _ in range(self._parts)]
        for word, number in counted.words.items():
            # Not by Python's hash, which is another in each process.
            parts[zlib.crc32(word) % self._parts][word] = number
        for part, words in enumerate(parts):
            yield part, Counted(words, 0 if part else counted.texts)


class _MergeFn(beam.CombineFn):
    def create_accumulator(self) -> Counted:
        return Counted(Counter(), 0)

    def add_input(self, accumulator: Counted, element: Counted) -> Counted:
        accumulator.words.update(element.words)
        return accumulator._replace(texts=accumulator.texts + element.texts)

    def merge_accumulators(self, accumulators: Iterable[Counted]) -> Counted:
        total = self.create_accumulator()
        for accumulator in accumulators:
            total = self.add_input(total, accumulator)
        return total

    def extract_output(self, accumulator: Counted) -> Counted:
        return accumulator
