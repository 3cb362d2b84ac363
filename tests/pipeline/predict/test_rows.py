from __future__ import annotations

import gzip
import io

import pytest

from components.common.errors import DataError
from pipeline.predict.rows import Table, open_table
from tests.components.example_gen.samples import encode_table

NAMES = [f'a.{ending}{gz}' for ending in ('csv', 'tsv', 'jsonl') for gz in ('', '.gz')]
TEXTS = [
    'Plain words.',
    'One, two "three"',
    'line one\nline two\r\nline three\rline four\n',
    'a\ttab',
    'Naïve café, 傑作, 😀, \u2028, \ufeff, \x85',
    '  spaces are kept  ',
    'x' * 300_000,
]


def read(name: str, content: bytes, column: str = 'text') -> Table:
    table = open_table(io.BytesIO(content), name, column)
    return table._replace(rows=list(table.rows))  # type: ignore[arg-type]


def texts(name: str, content: bytes) -> list[str | None]:
    return [row.text for row in read(name, content).rows]


@pytest.mark.parametrize('name', NAMES)
def test_texts_come_in_their_order_when_a_table_is_read(name: str) -> None:
    content = encode_table(name, [{'id': str(n), 'text': text} for n, text in enumerate(TEXTS)])
    assert texts(name, content) == TEXTS
    assert read(name, content).columns == ['id', 'text']


@pytest.mark.parametrize('name', ['a.csv', 'a.tsv', 'a.jsonl'])
def test_rows_stand_as_in_the_file_when_they_are_read(name: str) -> None:
    rows = [{'id': str(n), 'text': text} for n, text in enumerate(TEXTS)]
    content = encode_table(name, rows).decode()
    table = read(name, content.encode())
    header = table.header + table.newline if table.header else ''
    assert header + ''.join(row.raw + table.newline for row in table.rows) == content


@pytest.mark.parametrize('name', ['a.csv', 'a.csv.gz', 'a.jsonl'])
@pytest.mark.parametrize('text', ['', ' ', '\n'])
def test_a_row_has_no_text_when_it_is_blank(name: str, text: str) -> None:
    content = encode_table(name, [{'id': '1', 'text': text}, {'id': '2', 'text': 'Fine.'}])
    assert texts(name, content) == [None, 'Fine.']


def test_a_row_has_no_text_when_json_lacks_it() -> None:
    assert texts('a.jsonl', b'{"id": 1}\n{"text": null}\n\n{"text": "a"}') == [None, None, 'a']


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.txt'])
def test_a_mark_stands_in_the_text_alone_when_it_is_not_utf8(name: str) -> None:
    content = encode_table(name, [{'text': 'Caf@.'}]) if name != 'a.txt' else b'Caf@.\n'
    (row,) = read(name, content.replace(b'@', b'\xe9')).rows
    assert row.text == 'Caf\ufffd.'
    assert name == 'a.txt' or 'Caf\udce9.' in row.raw


def test_half_a_character_becomes_a_mark_when_json_escapes_it() -> None:
    assert texts('a.jsonl', rb'{"text": "a \ud83d"}') == ['a \ufffd']


@pytest.mark.parametrize('name', ['a.csv', 'a.tsv'])
def test_a_nul_costs_nothing_when_a_cell_holds_it(name: str) -> None:
    content = encode_table(name, [{'text': 'T@wo.', 'n': '1'}]).replace(b'@', b'\0')
    (row,) = read(name, content).rows
    assert row.text == 'T\ufffdwo.'
    assert '\0' in row.raw


def test_lines_are_texts_when_the_file_is_no_table() -> None:
    assert texts('a.txt', b'\xef\xbb\xbfone, two\r\n\n  "three" \n') == ['one, two', '"three"']


def test_blank_lines_are_passed_over_when_they_separate_rows() -> None:
    table = read('a.csv', b'text,n\r\n\r\nFine.,1\r\n\r\n')
    assert [row.raw for row in table.rows] == ['Fine.,1']
    assert table.newline == '\r\n'


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', b'review,label\nFine.,pos\n', "no column 'text' in a.csv; .* 'review', 'label'"),
        ('a.csv', b'', "no column 'text' in a.csv; its columns are none"),
        ('a.csv', b'label,text\npos,"Fi\nne."\npos\n', 'a.csv:4: expected 2 fields .*, got 1'),
        ('a.csv', b'text\nOne.\n"Fine.\n', 'a.csv:3: unexpected end of data'),
        ('a.csv.gz', gzip.compress(b'text\nA\n', mtime=0)[:-4], 'a.csv.gz cannot be read to its'),
        ('a.csv.gz', b'text\nFine.\n', 'a.csv.gz cannot be read to its end: Not a gzipped file'),
        ('a.jsonl', b'{"text": "a"}\n{"text": 5}\n', "a.jsonl:2: .* a text in 'text', got int"),
        ('a.jsonl', b'["Fine."]\n', 'a.jsonl:1: expected a JSON object, got list'),
        ('a.jsonl', b'{"text": "a"}\n\n{"text": \n', 'a.jsonl:3: .* what is not JSON'),
        pytest.param('a.jsonl', b'[' * 100_000, 'a.jsonl:1: .* what is not JSON', id='too deep'),
    ],
)
def test_error_names_the_line_when_a_row_cannot_be_read(
    name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(name, content)


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.txt'])
def test_error_names_the_line_when_a_row_is_too_long(name: str) -> None:
    content = encode_table(name, [{'text': 'a'}, {'text': 'b' * 100}])
    line = 2 if name == 'a.jsonl' else 3
    with pytest.raises(DataError, match=f'{name}:{line}: .*longer than'):
        read(name, content)


@pytest.mark.parametrize('name', ['a.csv', 'a.txt'])
def test_error_names_the_encoding_when_it_is_not_utf8(name: str) -> None:
    with pytest.raises(DataError, match=f'{name} is UTF-16, expected UTF-8 text'):
        read(name, 'text\nFine.\n'.encode('utf-16'))


def test_error_says_so_when_two_columns_have_the_name() -> None:
    with pytest.raises(DataError, match=r"more than one column 'text' in a.csv"):
        read('a.csv', b'text,text\na,b\n')
