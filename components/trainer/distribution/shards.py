"""Which part of a split each worker reads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Shard(NamedTuple):
    """What one worker reads of a split.

    Attributes:
        files: Of gzipped TFRecords.
        step: It takes each `step`-th record of them,
        first: from this one on.
    """

    files: tuple[str, ...]
    step: int = 1
    first: int = 0

    def records(self) -> tf.data.Dataset:
        """Return its serialized examples, file by file."""
        records = tf.data.TFRecordDataset(list(self.files), 'GZIP')
        return records if self.step == 1 else records.shard(self.step, self.first)


def shard_of(patterns: Sequence[str], workers: int, index: int) -> Shard:
    """Return what a worker reads of a split.

    Whole files, where there are as many as workers; no two workers read the
    same one. Where there are fewer, each worker reads all files and takes every
    so many-th record, which costs each the time to read them all.

    Args:
        patterns: Of the split's files; what they match is the same for all workers.
        workers: How many there are.
        index: Which of them reads.
    """
    files = tuple(sorted({file for p in patterns for file in tf.io.gfile.glob(p)}))
    if len(files) >= workers:
        return Shard(files[index::workers])
    logging.warning(
        'There are %d files for %d workers: each reads all of them, and takes a part of them.',
        len(files),
        workers,
    )
    return Shard(files, workers, index)
