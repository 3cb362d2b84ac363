"""Reads examples as token ids and labels, into memory or as a stream."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.example_gen.summary import ExamplesSummary
from components.trainer.serving import TransformGraph

_TEXTS_PER_BATCH = 1_000
# Streamed examples that are shuffled among each other: some 130 MB of film reviews.
_SHUFFLED_EXAMPLES = 100_000
_FILES_AT_ONCE = 16


class Batching(NamedTuple):
    """How examples become batches.

    Attributes:
        width: Number of tokens of each example; longer ones are cut, shorter ones padded.
        size: Number of examples in a batch.
        shuffle_seed: Seed of the order, which is another one in each epoch; None: as stored.
        multiple_of: The last examples of an epoch are left out, so that the number of
            examples is a multiple of this.
    """

    width: int
    size: int
    shuffle_seed: int | None = None
    multiple_of: int = 1

    def examples_used(self, count: int) -> int:
        """Return how many of so many examples an epoch has.

        >>> Batching(width=250, size=32, multiple_of=2).examples_used(7)
        6
        """
        return count // self.multiple_of * self.multiple_of


class LabelledTokens(NamedTuple):
    """The examples of a split, in memory.

    Attributes:
        tokens: int32 `[tokens]`, of all examples one after the other, each id >= 1.
        row_splits: int64 `[examples + 1]`; example i has the tokens from
            `row_splits[i]` up to `row_splits[i + 1]`.
        labels: float32 `[examples, 1]`, 0 or 1; NaN where there is no label.

    Example:
        >>> data = LabelledTokens.from_rows([[2, 3, 4], [], [5]], [0, 1, 1])
        >>> data.padded(2).tolist(), data.labels[:, 0].tolist()
        ([[2, 3], [0, 0], [5, 0]], [0.0, 1.0, 1.0])
    """

    tokens: npt.NDArray[np.int32]
    row_splits: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float32]

    @classmethod
    def from_rows(cls, rows: list[list[int]], labels: list[float]) -> LabelledTokens:
        """Return examples with these token ids and labels."""
        return cls(
            np.array([token for row in rows for token in row], np.int32),
            np.cumsum([0, *map(len, rows)]),
            np.array(labels, np.float32)[:, np.newaxis],
        )

    def ragged(self) -> tf.RaggedTensor:
        """Return the tokens as int32 `[examples, (tokens)]`."""
        return tf.RaggedTensor.from_row_splits(self.tokens, self.row_splits, validate=False)

    def padded(self, width: int) -> npt.NDArray[np.int32]:
        """Return the first `width` tokens of each example as int32 `[examples, width]`."""
        padded: npt.NDArray[np.int32] = (
            self.ragged().to_tensor(features.PADDING_ID, shape=[None, width]).numpy()
        )
        return padded

    def bags(self) -> npt.NDArray[np.uint64]:
        """Return a number for each example, which is the same if the same tokens are as frequent.

        Two others have the same number with probability 2**-64.

        Example:
            >>> rows = LabelledTokens.from_rows([[2, 3], [3, 2], [2]], [0, 1, 1])
            >>> first, second, third = rows.bags()
            >>> first == second, first == third
            (True, False)
        """
        tokens = int(self.tokens.max(initial=0)) + 1
        codes = np.random.default_rng(0).integers(1 << 64, size=tokens, dtype=np.uint64)
        # The sums are modulo 2**64.
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes[self.tokens])])
        bags: npt.NDArray[np.uint64] = np.diff(sums[self.row_splits])
        return bags

    def joined(self, other: LabelledTokens) -> LabelledTokens:
        """Return these examples, then the other ones."""
        return LabelledTokens(
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.row_splits, other.row_splits[1:] + self.row_splits[-1]]),
            np.concatenate([self.labels, other.labels]),
        )

    def batches(self, batching: Batching) -> tf.data.Dataset:
        """Return batches of int32 `[batch, width]` tokens and float32 `[batch, 1]` labels."""
        dataset = tf.data.Dataset.from_tensor_slices((self.padded(batching.width), self.labels))
        if batching.shuffle_seed is not None:
            dataset = dataset.shuffle(len(self.labels), seed=batching.shuffle_seed)
        dataset = dataset.take(batching.examples_used(len(self.labels)))
        return dataset.batch(batching.size).prefetch(tf.data.AUTOTUNE)


@dataclasses.dataclass(frozen=True)
class LoadedExamples:
    """Examples that are in memory already.

    Attributes:
        splits: The examples by name of the split.
    """

    splits: Mapping[str, LabelledTokens]

    def read(self, split: str) -> LabelledTokens:
        return self.splits.get(split, LabelledTokens.from_rows([], []))

    def stream(self, split: str, batching: Batching) -> tf.data.Dataset:
        return self.read(split).batches(batching)


@dataclasses.dataclass(frozen=True)
class StoredExamples:
    """Examples that ExampleGen wrote, tokenised by the transform graph.

    Both methods raise `ComponentError` if a split does not have as many examples
    as ExampleGen wrote.

    Attributes:
        artifact: Folder of the artifact.
        transform: Makes token ids from texts.
    """

    artifact: str
    transform: TransformGraph
    _rows: dict[str, npt.NDArray[np.int64]] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def read(self, split: str) -> LabelledTokens:
        """Return all examples of a split, in an order that depends on the texts alone."""
        labelled = split != features.UNLABELLED_SPLIT
        summary = ExamplesSummary.read(self.artifact)
        if not labelled and not summary.unlabelled:
            return LabelledTokens.from_rows([], [])
        data, self._rows[split] = _read(self._pattern(split), self.transform, labelled=labelled)
        summary.require('Trainer', [split], len(data.labels))
        return data

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return int64 `[examples]`: where the examples of a split that was read are in its files.

        The positions count the examples of all files, in the order of their names, from 0.
        """
        return self._rows[split]

    def stream(self, split: str, batching: Batching) -> tf.data.Dataset:
        """Return batches that are read and tokenised again in each epoch.

        Files are read in another order in each epoch, several at once, and their
        examples are shuffled within a window of 100,000.
        """
        files = tf.data.Dataset.list_files(self._pattern(split), shuffle=False)
        records = tf.data.TFRecordDataset(files, 'GZIP')
        count = sum(int(tf.size(batch)) for batch in records.batch(4_096))
        ExamplesSummary.read(self.artifact).require('Trainer', [split], count)
        if batching.shuffle_seed is not None:
            files = files.shuffle(len(files), seed=batching.shuffle_seed)
            records = files.interleave(
                lambda file: tf.data.TFRecordDataset(file, 'GZIP'),
                cycle_length=_FILES_AT_ONCE,
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            ).shuffle(_SHUFFLED_EXAMPLES, seed=batching.shuffle_seed)

        def pad(
            tokens: tf.Tensor, lengths: tf.Tensor, labels: tf.Tensor, _: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            ragged = tf.RaggedTensor.from_row_lengths(tokens, lengths, validate=False)
            padded = ragged.to_tensor(features.PADDING_ID, shape=[None, batching.width])
            return padded, labels[:, tf.newaxis]

        used = batching.examples_used(count)
        return (
            _tokenised(records.take(used), self.transform, labelled=True)
            .map(tf.autograph.experimental.do_not_convert(pad))
            .rebatch(batching.size)
            .apply(tf.data.experimental.assert_cardinality(-(-used // batching.size)))
            .prefetch(tf.data.AUTOTUNE)
        )

    def _pattern(self, split: str) -> str:
        return posixpath.join(self.artifact, f'Split-{split}', '*')


# The examples that a model learns from, by split; `unsup` may be empty.
Examples = LoadedExamples | StoredExamples


def read_split(pattern: str, transform: TransformGraph, *, labelled: bool = True) -> LabelledTokens:
    """Read raw examples and turn them into token ids by the transform graph.

    The examples are sorted by a fingerprint of their text, so that their order
    does not depend on the order in which Beam wrote them.

    Args:
        pattern: Gzipped TFRecord files of raw examples.
        transform: Makes token ids from texts.
        labelled: Whether the examples have labels.

    Returns:
        All examples of the split.
    """
    return _read(pattern, transform, labelled=labelled)[0]


def _read(
    pattern: str, transform: TransformGraph, *, labelled: bool
) -> tuple[LabelledTokens, npt.NDArray[np.int64]]:
    """Return what `read_split` does, and the position of each example in the files."""
    files = tf.data.Dataset.list_files(pattern, shuffle=False)
    records = tf.data.TFRecordDataset(files, 'GZIP')
    batches = list(_tokenised(records, transform, labelled=labelled).as_numpy_iterator())
    if not batches:
        return LabelledTokens.from_rows([], []), np.zeros(0, np.int64)
    tokens, lengths, labels, order = (np.concatenate(part) for part in zip(*batches))
    rows = np.lexsort((labels, order))
    starts = np.concatenate([[0], np.cumsum(lengths)])[rows]
    row_splits = np.concatenate([[0], np.cumsum(lengths[rows])])
    # The old index of each token: the old start of its row plus its place in the row.
    source = np.repeat(starts - row_splits[:-1], lengths[rows]) + np.arange(len(tokens))
    return LabelledTokens(tokens[source], row_splits, labels[rows][:, np.newaxis]), rows


def _tokenised(
    records: tf.data.Dataset, transform: TransformGraph, *, labelled: bool
) -> tf.data.Dataset:
    """Turn serialized examples, tf.string scalars, into batches of token ids.

    Returns:
        Batches of: int32 `[tokens]`, of all texts one after the other; int64
        `[texts]`, their lengths; float32 `[texts]`, labels, NaN where there is
        none; int64 `[texts]`, a fingerprint of each text.
    """
    spec = {features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string)}
    if labelled:
        spec[features.LABEL_KEY] = tf.io.FixedLenFeature([], tf.int64)

    def convert(serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
        raw = tf.io.parse_example(serialized, spec)
        text = raw[features.TEXT_KEY]
        label = (
            tf.cast(raw[features.LABEL_KEY], tf.float32)
            if labelled
            else tf.fill(tf.shape(text), np.nan)
        )
        order = tf.strings.to_hash_bucket_fast(text, np.iinfo(np.int64).max)
        tokens = transform(text)
        return tokens.values, tokens.row_lengths(), label, order

    return records.batch(_TEXTS_PER_BATCH).map(
        tf.autograph.experimental.do_not_convert(convert), num_parallel_calls=tf.data.AUTOTUNE
    )
