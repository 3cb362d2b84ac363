"""Scores a stream on all cores, in order, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pipeline.predict.model import PushedModel, Score
from pipeline.predict.rows import Row

_BATCH_ROWS = 1_000
_BATCH_CHARACTERS = 4_000_000

Item = TypeVar('Item')
Result = TypeVar('Result')


def score_rows(
    model: PushedModel, rows: Iterable[Row]
) -> Iterator[tuple[list[Row], list[Score | None]]]:
    """Score rows, batch by batch, each while the next ones are read.

    Args:
        model: The model.
        rows: Any number.

    Yields:
        Rows in their order, and a score for each; None where there is no text.
    """

    def score(batch: list[Row]) -> list[Score | None]:
        scores = iter(model.score([row.text for row in batch if row.text is not None]))
        return [None if row.text is None else next(scores) for row in batch]

    return in_order(score, batches(rows))


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Put rows together: so many, or fewer where they are long."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += len(row.raw)
        if len(batch) == _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result]]:
    """Apply a function in a thread per core, some items ahead of who takes the results.

    Yields:
        Each item and its result, in the order of the items.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    workers = workers or 1
    pool = ThreadPoolExecutor(workers)
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            # One more than can be worked on, so that none waits for the reader.
            if len(waiting) > workers + 1:
                done, result = waiting.popleft()
                yield done, result.result()
        while waiting:
            done, result = waiting.popleft()
            yield done, result.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
