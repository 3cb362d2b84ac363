from __future__ import annotations

import logging
import pathlib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.common.errors import ComponentError
from components.trainer.distribution.rows import (
    MemoryRows,
    Rows,
    StreamedRows,
    batch_sizes,
    endless_batches,
)
from components.trainer.distribution.shards import Shard, shard_of
from components.trainer.serving import TransformGraph
from tests.components.trainer.tiny import COUNTS, TEXT, Tiny, make_reviews, write_split

WIDTH = TEXT.max_tokens


@pytest.fixture(scope='module')
def transform(tiny: Tiny) -> TransformGraph:
    return TransformGraph(tft.TFTransformOutput(str(tiny.transform_graph)))


def records(shard: Shard) -> Counter[bytes]:
    return Counter(shard.records().as_numpy_iterator())


def rows_of(*batches: tuple[np.ndarray, ...]) -> Counter[bytes]:
    """What counts in batches: rows that weigh something."""
    found: Counter[bytes] = Counter()
    for tokens, labels, weights in batches:
        assert set(weights.tolist()) <= {0.0, 1.0}
        for row, label in zip(tokens[weights > 0], labels[weights > 0]):
            found[row.tobytes() + str(label).encode()] += 1
    return found


def all_rows(rows: Rows) -> Counter[bytes]:
    return rows_of(*((b.tokens, b.labels[:, 0], np.ones(len(b.labels))) for b in rows.blocks(0)))


@pytest.mark.parametrize(('files', 'workers'), [(2, 2), (5, 2), (5, 3), (1, 2), (2, 3), (3, 1)])
def test_parts_are_disjoint_and_all_of_the_split_when_workers_share_it(
    files: int, workers: int, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    reviews = make_reviews(23, 0)
    write_split(tmp_path / 'split', [reviews[i::files] for i in range(files)])
    patterns = [f'{tmp_path}/split/*']
    with caplog.at_level(logging.WARNING):
        shards = [shard_of(patterns, workers, index) for index in range(workers)]
    parts = [records(shard) for shard in shards]
    assert sum(parts, Counter()) == records(shard_of(patterns, 1, 0))
    assert sum(sum(part.values()) for part in parts) == 23
    if files >= workers:
        # Each file is read by one worker.
        names = [name for shard in shards for name in shard.files]
        assert len(names) == len(set(names)) == files
        assert not caplog.messages
    else:
        assert f'There are {files} files for {workers} workers' in caplog.text


def test_batches_are_as_equal_as_can_be_when_rows_are_divided() -> None:
    for rows in (0, 1, 7, 100):
        for batches in (1, 3, 8):
            sizes = batch_sizes(rows, batches)
            assert len(sizes) == batches
            assert sizes.sum() == rows
            assert sizes.max() - sizes.min() <= 1


def test_rows_of_a_step_are_the_same_when_more_replicas_share_it() -> None:
    one, two = batch_sizes(103, 10), batch_sizes(103, 20)
    assert (two.reshape(-1, 2).sum(axis=1) == one).all()


def test_streamed_rows_are_those_in_memory_when_a_split_is_read(
    tiny: Tiny, transform: TransformGraph
) -> None:
    shard = shard_of([tiny.pattern('train')], 1, 0)
    kept = MemoryRows(shard, transform, WIDTH)
    streamed = StreamedRows(shard, transform, WIDTH, block_rows=50)
    assert kept.count == streamed.count == COUNTS['train']
    assert all_rows(kept) == all_rows(streamed)


@pytest.mark.parametrize('kind', ['memory', 'stream'])
@pytest.mark.parametrize('batches', [1, 7, 40, 130])
def test_each_row_counts_once_in_each_epoch_when_it_is_cut_into_batches(
    kind: str, batches: int, tiny: Tiny, transform: TransformGraph
) -> None:
    shard = shard_of([tiny.pattern('train')], 1, 0)
    rows = (
        MemoryRows(shard, transform, WIDTH)
        if kind == 'memory'
        else StreamedRows(shard, transform, WIDTH, block_rows=50)
    )
    dataset = endless_batches(rows, batches, seed=3)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    epochs = list(dataset.take(2 * batches).as_numpy_iterator())
    first, second = epochs[:batches], epochs[batches:]
    assert rows_of(*first) == rows_of(*second) == all_rows(rows)
    assert len({tokens.shape for tokens, _, _ in epochs}) == 1
    # Shuffled anew.
    orders = [np.concatenate([t[w > 0] for t, _, w in epoch]) for epoch in (first, second)]
    assert not (orders[0] == orders[1]).all()


def test_rows_come_in_order_when_no_seed_shuffles_them(
    tiny: Tiny, transform: TransformGraph
) -> None:
    rows = MemoryRows(shard_of([tiny.pattern('val')], 1, 0), transform, WIDTH)
    cut = endless_batches(rows, 7, seed=None).take(7).as_numpy_iterator()
    tokens = np.concatenate([t[w > 0] for t, _, w in cut])
    (block,) = rows.blocks(0)
    assert (tokens == block.tokens).all()


def test_training_stops_when_files_lose_rows_while_they_are_streamed(
    transform: TransformGraph, tmp_path: pathlib.Path
) -> None:
    write_split(tmp_path / 'split', [make_reviews(10, 0), make_reviews(10, 1)])
    shard = shard_of([f'{tmp_path}/split/*'], 1, 0)
    rows = StreamedRows(shard, transform, WIDTH)
    write_split(tmp_path / 'other', [make_reviews(3, 0)])
    next((tmp_path / 'other').iterdir()).replace(shard.files[0])
    from components.trainer.distribution import rows as module

    blocks = rows.blocks(0)
    with pytest.raises(ComponentError, match='expected 20 examples in each epoch, .* fewer'):
        list(module._cut(blocks, batch_sizes(rows.count, 4), rows))
