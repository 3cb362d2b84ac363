from __future__ import annotations

import csv
import gzip
import io
import json
import pathlib

import pytest

from components.common.errors import ConfigError, DataError
from components.common.settings import ColumnSettings
from pipeline.predict.model import Score
from pipeline.predict.rows import open_source
from pipeline.predict.writing import Columns, RowWriter, open_output, output_format

COLUMNS = Columns('label', 'probability')
LABELS = ('bad, very', 'good')
SCORES = [Score('good', '0.987654'), Score('bad, very', '1e-07'), None]


def rewrite(name: str, content: bytes, kind: str, columns: Columns = COLUMNS) -> str:
    """Return a table with `SCORES` added to its rows, in turn."""
    source = open_source(io.BytesIO(content), name, ColumnSettings())
    writer = RowWriter(source, kind, columns, LABELS)
    rows = [writer.row(each.row, SCORES[n % 3]) for n, each in enumerate(source.rows)]
    return writer.header() + ''.join(rows)


@pytest.mark.parametrize(
    ('name', 'content', 'kind', 'expected'),
    [
        (
            'a.csv',
            '\ufeff"id",text ,text\r\n007,"a ""b"",\nc",x\r\n 1.50 ,\'d\',"\u2028"\r\n,é,',
            'csv',
            '\ufeff"id",text ,text,label,probability\r\n'
            '007,"a ""b"",\nc",x,good,0.987654\r\n'
            ' 1.50 ,\'d\',"\u2028","bad, very",1e-07\r\n'
            ',é,,,\r\n',
        ),
        (
            'a.tsv',
            'text\tn\na\t1\nb\t2\n',
            'tsv',
            'text\tn\tlabel\tprobability\na\t1\tgood\t0.987654\nb\t2\tbad, very\t1e-07\n',
        ),
        (
            'a.jsonl',
            '{"text": "a", "n": 1.50, "big": 12345678901234567890, "x": {"y": [1e5]} }\n'
            '{}\n{"z":1}',
            'jsonl',
            '{"text": "a", "n": 1.50, "big": 12345678901234567890, "x": {"y": [1e5]}, '
            '"label": "good", "probability": 0.987654}\n'
            '{"label": "bad, very", "probability": 1e-07}\n'
            '{"z":1, "label": null, "probability": null}\n',
        ),
        (
            'a.txt',
            'one, two\n\nthree\n',
            'csv',
            'text,label,probability\n"one, two",good,0.987654\nthree,"bad, very",1e-07\n',
        ),
    ],
)
def test_rows_are_copied_byte_for_byte_when_the_format_is_the_same_or_was_text(
    name: str, content: str, kind: str, expected: str
) -> None:
    assert rewrite(name, content.encode(), kind) == expected


def test_values_are_kept_when_json_becomes_csv() -> None:
    content = '{"text": "a, é", "n": 1.5, "x": {"y": ["ü"]}, "t": true}\n{"text": null}\n'.encode()
    written = rewrite('a.jsonl', content, 'csv')
    assert list(csv.reader(io.StringIO(written))) == [
        ['text', 'n', 'x', 't', 'label', 'probability'],
        ['a, é', '1.5', '{"y": ["ü"]}', 'true', 'good', '0.987654'],
        ['', '', '', '', 'bad, very', '1e-07'],
    ]


def test_values_are_kept_when_csv_becomes_json() -> None:
    written = rewrite('a.csv', b'text,n\xe9\n"a ""b""\n",007\nCaf\xc3\xa9,\n', 'jsonl')
    assert [json.loads(line.encode()) for line in written.splitlines()] == [
        {'text': 'a "b"\n', 'n\ufffd': '007', 'label': 'good', 'probability': 0.987654},
        {'text': 'Café', 'n\ufffd': '', 'label': 'bad, very', 'probability': 1e-7},
    ]


@pytest.mark.parametrize(
    ('name', 'content', 'columns', 'message'),
    [
        ('a.csv', b'text,label\na,1\n', COLUMNS, "^the input already has a column 'label'"),
        ('a.csv', b'text,probability\na,1\n', COLUMNS, "already has a column 'probability'"),
        ('a.csv', b'text\na\n', Columns('x', 'x'), "already has a column 'x'"),
        ('a.jsonl', b'{"text": "a", "label": 1}\n', COLUMNS, "already has a column 'label'"),
        ('a.jsonl', b'{"text": "a"}\n{"label": 1}\n', COLUMNS, '^a.jsonl:2: the input already'),
    ],
)
def test_error_names_the_options_when_a_column_exists_already(
    name: str, content: bytes, columns: Columns, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        rewrite(name, content, output_format(name), columns)
    assert '--label-column' in caught.value.hint
    assert 'predicted' in rewrite(
        name, content, output_format(name), Columns('predicted', 'how sure')
    )


def test_columns_are_refused_when_the_other_format_cannot_hold_them() -> None:
    with pytest.raises(DataError, match="^a.jsonl:2: 'b' is not a column of the first row"):
        rewrite('a.jsonl', b'{"text": "a"}\n{"text": "a", "b": 1}\n', 'csv')
    with pytest.raises(ConfigError, match='two columns of the input have the same name'):
        rewrite('a.csv', b'text,x,x\na,1,2\n', 'jsonl')


@pytest.mark.parametrize('name', ['a.csv', 'a.csv.gz'])
def test_file_is_replaced_at_once_when_the_block_ends(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / name
    path.write_bytes(b'old')
    with open_output(str(path)) as file:
        file.write('é\udce9\r\n' * 100_000)
        assert path.read_bytes() == b'old'
    content = path.read_bytes()
    assert (gzip.decompress(content) if name.endswith('.gz') else content) == (
        'é'.encode() + b'\xe9\r\n'
    ) * 100_000
    assert list(tmp_path.iterdir()) == [path]


def test_link_is_kept_when_its_target_is_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'link.csv').symlink_to('real.csv')
    with open_output(str(tmp_path / 'link.csv')) as file:
        file.write('x')
    assert (tmp_path / 'link.csv').is_symlink()
    assert (tmp_path / 'real.csv').read_text() == 'x'


@pytest.mark.parametrize('kind', ['tsv', 'jsonl'])
def test_line_breaks_are_kept_in_their_cell_when_the_format_changes(kind: str) -> None:
    content = rewrite('a.csv', b'text,n\r\n"one\r\ntwo\nthree\rfour",1\r\n', kind)
    if kind == 'jsonl':
        assert json.loads(content)['text'] == 'one\r\ntwo\nthree\rfour'
    else:
        rows = list(csv.reader(io.StringIO(content, newline=''), delimiter='\t'))
        assert rows[1] == ['one\r\ntwo\nthree\rfour', '1', 'good', '0.987654']


def test_character_is_replaced_when_csv_cannot_hold_it() -> None:
    header, row = rewrite('a.jsonl', rb'{"text": "a\u0000b", "\ud83d": 1}', 'csv').splitlines()
    assert header == 'text,\ufffd,label,probability'
    assert row == 'a\ufffdb,1,good,0.987654'


def test_error_names_the_row_when_an_object_is_nested_too_deep_for_a_cell() -> None:
    source = open_source(io.BytesIO(b'{"text": "a", "x": 1}'), 'a.jsonl', ColumnSettings())
    writer = RowWriter(source, 'csv', COLUMNS, LABELS)
    ((row, _),) = source.rows
    assert isinstance(row.cells, dict)
    for _ in range(100_000):
        row.cells['x'] = [row.cells['x']]
    with pytest.raises(DataError, match='a.jsonl:1: the object is nested too deep'):
        writer.row(row, None)
