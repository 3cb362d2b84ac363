"""The examples that one worker reads, and how they become batches of the same step everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.trainer.dataset import read_records, token_batches
from components.trainer.distribution.shards import Shard
from components.trainer.serving import TransformGraph

# Rows that are shuffled among each other, where not all are in memory: 100 MB at 250 tokens.
_BLOCK_ROWS = 100_000
_FILES_AT_ONCE = 16
_COUNTED_AT_ONCE = 4_096

Tokens = npt.NDArray[np.int32]
Labels = npt.NDArray[np.float32]


class Block(NamedTuple):
    """Some rows.

    Attributes:
        tokens: int32 `[rows, width]`, padded with 0.
        labels: float32 `[rows, 1]`, 0 or 1.
    """

    tokens: Tokens
    labels: Labels


class Rows(Protocol):
    """The rows of one worker.

    Attributes:
        count: How many there are.
        width: Tokens of each.
    """

    count: int
    width: int

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield all rows, in blocks; which are together may depend on the epoch."""


class MemoryRows:
    """Rows that are read once and kept.

    Args:
        shard: What to read.
        transform: Makes token ids from texts.
        width: Tokens that are read of each text.
        alive: Is called again and again while they are read.
    """

    def __init__(
        self,
        shard: Shard,
        transform: TransformGraph,
        width: int,
        *,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        read = read_records(shard.records(), transform, alive=alive)
        self._all = Block(read.padded(width), read.labels)
        self.count = len(read.labels)
        self.width = width

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield one block."""
        del epoch
        yield self._all


class StreamedRows:
    """Rows that are read and tokenised anew in each epoch, some at a time.

    Files are read several at once and in another order each epoch, and rows are
    shuffled within blocks: rows of a file that are alike do not stay together.

    Args:
        shard: What to read.
        transform: Makes token ids from texts.
        width: Tokens that are read of each text.
        seed: Of the order of files; the same for all workers.
        alive: Is called again and again while rows are counted.
        block_rows: Rows in memory at once.
    """

    def __init__(
        self,
        shard: Shard,
        transform: TransformGraph,
        width: int,
        *,
        seed: int = 0,
        alive: Callable[[], None] = lambda: None,
        block_rows: int = _BLOCK_ROWS,
    ) -> None:
        self._shard = shard
        self._transform = transform
        self._seed = seed
        self._block_rows = block_rows
        self.width = width
        self.count = 0
        for part in shard.records().batch(_COUNTED_AT_ONCE).map(tf.size):
            self.count += int(part)
            alive()

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield blocks of `block_rows` rows, the last one with what is left."""
        files = np.random.default_rng([self._seed, epoch]).permutation(list(self._shard.files))
        records = tf.data.Dataset.from_tensor_slices(files).interleave(
            lambda file: tf.data.TFRecordDataset(file, 'GZIP'),
            cycle_length=_FILES_AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        if self._shard.step > 1:
            records = records.shard(self._shard.step, self._shard.first)
        parts: list[Block] = []
        held = 0
        for tokens, lengths, labels, _ in token_batches(records, self._transform).prefetch(2):
            padded = tf.RaggedTensor.from_row_lengths(tokens, lengths, validate=False).to_tensor(
                features.PADDING_ID, shape=[None, self.width]
            )
            parts.append(Block(padded.numpy(), labels.numpy()[:, np.newaxis]))
            held += len(parts[-1].labels)
            if held >= self._block_rows:
                yield _joined(parts)
                parts, held = [], 0
        if parts:
            yield _joined(parts)


def batch_sizes(rows: int, batches: int) -> npt.NDArray[np.int64]:
    """Divide rows into batches as equal as can be, one after the other.

    Workers that read different numbers of rows end together so, and each of
    their rows counts once.

    >>> batch_sizes(7, 4).tolist()
    [1, 2, 2, 2]
    """
    ends: npt.NDArray[np.int64] = np.arange(batches + 1, dtype=np.int64) * rows // batches
    return np.diff(ends)


def endless_batches(rows: Rows, batches: int, *, seed: int | None) -> tf.data.Dataset:
    """Return the batches of all epochs, one epoch after the other, without end.

    Args:
        rows: Of this worker.
        batches: Of an epoch. All have the same number of rows: those that have
            one too few have one of nothing but padding, that weighs nothing.
        seed: Of the order, which is another in each epoch; none: as they come.

    Returns:
        int32 `[batch, width]` tokens, float32 `[batch]` labels, and float32
        `[batch]` weights: 1 for a row, 0 for padding.
    """
    sizes = batch_sizes(rows.count, batches)
    size = max(1, int(sizes.max()))

    def generate() -> Iterator[tuple[Tokens, Labels, Labels]]:
        epoch = 0
        while True:
            blocks = rows.blocks(epoch)
            if seed is not None:
                blocks = _shuffled(blocks, np.random.default_rng([seed, epoch]))
            for tokens, labels in _cut(blocks, sizes, rows):
                batch = np.full((size, rows.width), features.PADDING_ID, np.int32)
                of_batch, weights = np.zeros(size, np.float32), np.zeros(size, np.float32)
                count = len(labels)
                batch[:count], of_batch[:count], weights[:count] = tokens, labels[:, 0], 1
                yield batch, of_batch, weights
            epoch += 1

    return (
        tf.data.Dataset.from_generator(
            generate,
            output_signature=(
                tf.TensorSpec([size, rows.width], tf.int32),
                tf.TensorSpec([size], tf.float32),
                tf.TensorSpec([size], tf.float32),
            ),
        )
        # Else workers would ask each other before each step whether one is at its end.
        .apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        .prefetch(tf.data.AUTOTUNE)
    )


def _shuffled(blocks: Iterator[Block], rng: np.random.Generator) -> Iterator[Block]:
    for block in blocks:
        order = rng.permutation(len(block.labels))
        yield Block(block.tokens[order], block.labels[order])


def _cut(blocks: Iterator[Block], sizes: Sequence[int] | npt.NDArray[np.int64], rows: Rows) -> (
    Iterator[Block]
):
    """Cut blocks into batches of so many rows."""
    nothing = Block(np.zeros((0, rows.width), np.int32), np.zeros((0, 1), np.float32))
    block, at = nothing, 0
    for size in sizes:
        parts = [nothing]
        wanted = int(size)
        while wanted:
            if at == len(block.labels):
                found = next(blocks, None)
                if found is None:
                    raise ComponentError(
                        f'Trainer: expected {rows.count:,} examples in each epoch, and there are '
                        'fewer now',
                        hint='the examples were changed while they were read: run again',
                    )
                block, at = found, 0
            end = min(at + wanted, len(block.labels))
            parts.append(Block(block.tokens[at:end], block.labels[at:end]))
            wanted -= end - at
            at = end
        yield parts[1] if len(parts) == 2 else _joined(parts)


def _joined(parts: Sequence[Block]) -> Block:
    tokens, labels = zip(*parts)
    return Block(np.concatenate(tokens), np.concatenate(labels))
