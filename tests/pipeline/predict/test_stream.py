from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.predict.rows import Row
from pipeline.predict.stream import batches, in_order


def test_results_keep_the_order_when_the_first_takes_longest() -> None:
    def slowly(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item * 2

    assert list(in_order(slowly, range(50))) == [(n, n * 2) for n in range(50)]


def test_little_is_read_ahead_when_nobody_takes_the_results() -> None:
    read = itertools.count()

    def endless() -> Iterator[int]:
        while True:
            yield next(read)

    results = in_order(lambda item: item, endless())
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    assert next(read) < 3 + 2 * len(threading.enumerate()) + 64
    results.close()


def test_error_of_an_item_is_raised_when_it_is_its_turn() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise ValueError('of item 3')
        return item

    results = in_order(fail, range(10))
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match='of item 3'):
        next(results)


@pytest.mark.parametrize(
    ('length', 'sizes'), [(10, [1_000, 1_000, 500]), (1_500_000, [3] * 833 + [1])]
)
def test_batches_are_smaller_when_rows_are_long(length: int, sizes: list[int]) -> None:
    text = 'x' * length
    rows = (Row('', text, [], text) for _ in range(2_500))
    assert [len(batch) for batch in batches(rows)] == sizes
