from __future__ import annotations

import gzip
import io
import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers.feature_columns import parse_features
from components.readers.tables import Row
from pipeline.predict.rows import (
    Source,
    TextRow,
    make_batches,
    map_in_order,
    open_source,
    read_values,
    require_columns,
)
from tests.components.example_gen.samples import encode_table


def read(name: str, content: bytes) -> Source:
    source = open_source(io.BytesIO(content), name, ColumnSettings())
    return source._replace(rows=list(source.rows))  # type: ignore[arg-type]


def texts(name: str, content: bytes) -> list[str | None]:
    return [row.text for row in read(name, content).rows]


@pytest.mark.parametrize(
    ('name', 'content', 'expected'),
    [
        ('a.csv', b'id,text\n1,\n2," "\n3,"\n"\n4,Fine.\n', [None, None, None, 'Fine.']),
        ('a.csv', b'text,n\r\n\r\nFine.,1\r\n\r\n', ['Fine.']),
        ('a.jsonl', b'{"id": 1}\n{"text": null}\n\n{"text": "a"}', [None, None, 'a']),
        ('a.txt', b'\xef\xbb\xbfone, two\r\n\n  "Caf\xc3\xa9" \n', ['one, two', '"Café"']),
        ('standard input', b'one\n', ['one']),
    ],
)
def test_text_is_none_when_the_cell_is_blank(
    name: str, content: bytes, expected: list[str | None]
) -> None:
    assert texts(name, content) == expected


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', b'review,label\nFine.,pos\n', "no column 'text' in a.csv; .* 'review', 'label'"),
        ('a.csv', b'label,text\npos,"Fi\nne."\npos\n', 'a.csv:4: the row cannot be .*: not 2'),
        ('a.csv.gz', gzip.compress(b'text\nA\n', mtime=0)[:-4], 'a.csv.gz cannot be read to its'),
        (
            'a.jsonl',
            b'{"text": "a"}\n{"text": [5]}\n',
            "a.jsonl:2: expected a text, got a list in the column 'text'",
        ),
        ('a.jsonl', b'["Fine."]\n', 'a.jsonl:1: the row cannot be used: not a JSON object'),
        ('a.jsonl', b'{"text": "a"}\n\n{"text": \n', 'a.jsonl:3: .* not JSON'),
        ('a.csv', b'text,n\nA,1\nFine,caf\xe9\n', 'a.csv:3: the row cannot be used: not UTF-8'),
        ('a.csv', b'text,n\nT\0wo.,1\n', 'a.csv:2: the row cannot be used: not UTF-8'),
        ('a.jsonl', b'{"text": "Caf\xe9."}', 'a.jsonl:1: the row cannot be used: not UTF-8'),
        ('a.jsonl', rb'{"text": "a \ud83d"}', 'a.jsonl:1: the row cannot be used: not UTF-8'),
        ('a.txt', b'one\nCaf\xe9\n', 'a.txt:2: the row cannot be used: not UTF-8'),
        ('a.txt', b'one\nT\0wo\n', 'a.txt:2: the row cannot be used: not UTF-8'),
        ('standard input', b'Caf\xe9\n', 'standard input:1: the row cannot be used: not UTF-8'),
        ('a.txt', 'Fine.\n'.encode('utf-16'), 'a.txt is UTF-16, expected UTF-8 text'),
        ('a.csv', b'PAR1' + bytes(20), 'a.csv is a Parquet file, expected UTF-8 text'),
        ('imdb.tar.gz', b'', 'imdb.tar.gz is not a table'),
    ],
)
def test_error_names_the_row_when_it_cannot_be_used(
    name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(name, content)


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.txt'])
def test_error_names_the_line_when_a_row_is_too_long(name: str) -> None:
    content = encode_table(name, [{'text': 'a'}, {'text': 'b' * 100}])
    line = 2 if name == 'a.jsonl' else 3
    with pytest.raises(DataError, match=f'{name}:{line}: .*(longer than|too long)'):
        read(name, content)


def test_results_keep_the_order_when_the_first_takes_longest() -> None:
    def double(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item * 2

    assert list(map_in_order(double, range(50))) == [(n, n * 2) for n in range(50)]


def test_few_items_are_read_ahead_when_the_results_are_not_consumed() -> None:
    read = itertools.count()

    def count_reads() -> Iterator[int]:
        while True:
            yield next(read)

    results = map_in_order(lambda item: item, count_reads())
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    assert next(read) < 3 + 2 * len(threading.enumerate()) + 64
    results.close()


def test_error_is_raised_in_order_when_an_item_fails() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise ValueError('of item 3')
        return item

    results = map_in_order(fail, range(10))
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match='of item 3'):
        next(results)


@pytest.mark.parametrize(
    ('length', 'sizes'), [(10, [1_000, 1_000, 500]), (1_500_000, [3] * 833 + [1])]
)
def test_batches_are_smaller_when_rows_are_long(length: int, sizes: list[int]) -> None:
    text = 'x' * length
    rows = (TextRow(Row('', text, []), text) for _ in range(2_500))
    assert [len(batch) for batch in make_batches(rows)] == sizes


COLUMNS = parse_features(['stars:int', 'product:string'])


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.csv', b'product,text,stars\ntea,Fine.,5\n,Fine.,\n'),
        ('a.jsonl', b'{"text": "Fine.", "stars": 5, "product": "tea"}\n{"text": "Fine."}\n'),
    ],
)
def test_columns_of_a_model_are_read_when_values_are_missing(name: str, content: bytes) -> None:
    source = open_source(io.BytesIO(content), name, ColumnSettings())
    require_columns(source, COLUMNS)
    rows = list(source.rows)
    assert read_values(rows, source.table.columns, COLUMNS) == [(5, 'tea'), (None, None)]
    assert read_values(rows, source.table.columns, []) == [(), ()]


def test_table_is_refused_when_it_does_not_have_the_columns_of_a_model() -> None:
    for header, what in {'text,stars': 'no column', 'text,product,product': 'two columns'}.items():
        source = open_source(io.BytesIO(f'{header}\n'.encode()), 'a.csv', ColumnSettings())
        expected = f"trained with 'product', but the input has {what} 'product'"
        with pytest.raises(DataError, match=expected):
            require_columns(source, COLUMNS[1:])
    source = open_source(io.BytesIO(b'text,stars\nFine.,five\n'), 'a.csv', ColumnSettings())
    with pytest.raises(DataError, match="a.csv:2: text in the int column 'stars'"):
        read_values(list(source.rows), source.table.columns, COLUMNS)
