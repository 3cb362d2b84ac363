"""Tables with other delimiters and quotes than those of RFC 4180."""

from __future__ import annotations

import csv
import gzip
import io
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import formats
from components.readers.records import Record
from pipeline.predict.model import Score
from pipeline.predict.rows import open_source
from pipeline.predict.writing import Columns, RowWriter
from tests.inputs.cases import Case, check_case

_NUMBERS = {'header': False, 'text_column': '2', 'label_column': '1'}
_SWALLOWED = b'label\ttext\n1\t"Great TV\n0\tbad\n0\tI bought the 42"\n1\tfine\n'
_TWO = [('Fine, really', 'pos'), ('Bad', 'neg')]
CASES = [
    Case(
        name='quotes that may be either',
        files={'a.tsv': _SWALLOWED},
        error=['a.tsv: quotes may', 'it has 2 rows', 'and 4 rows', '--quoting none'],
    ),
    Case(
        name='quotes that are text, by option',
        files={'a.tsv': _SWALLOWED},
        columns={'quoting': 'none'},
        rows=[('"Great TV', '1'), ('bad', '0'), ('I bought the 42"', '0'), ('fine', '1')],
    ),
    Case(
        name='quotes that enclose fields, by option',
        files={'a.tsv': _SWALLOWED},
        columns={'quoting': 'minimal'},
        rows=[('Great TV\n0\tbad\n0\tI bought the 42', '1'), ('fine', '1')],
    ),
    Case(
        name='quotes that are text, by content, in the last rows',
        files={
            'a.tsv': b'label\ttext\n'
            + b'1\tplain\n' * 1_200
            + b'1\t"Great" TV\n0\t"Bad\n1\tThe 42" one\n'
        },
        rows=[
            *[('plain', '1')] * 1_200,
            ('"Great" TV', '1'),
            ('"Bad', '0'),
            ('The 42" one', '1'),
        ],
    ),
    Case(
        name='CSV whose text stands last, quotes that are text',
        files={'a.csv': b'label,text\n1,"Great" TV\n0,"Bad\n1,The 42" one\n'},
        rows=[('"Great" TV', '1'), ('"Bad', '0'), ('The 42" one', '1')],
    ),
    Case(
        name='quoted texts with line breaks',
        files={
            'a.csv': b'label,text\n1,"One, two\n0,three"\n0,"a ""b"", c\nd"\n' + b'1,"x, y"\n' * 20
        },
        rows=[('One, two\n0,three', '1'), ('a "b", c\nd', '0'), *[('x, y', '1')] * 20],
    ),
    Case(
        name='MySQL, enclosed by quotes',
        files={'a.csv': b'"text","label"\n"A \\"dull\\" film, really","neg"\n"a ""b"", c","pos"\n'},
        rows=[('A "dull" film, really', 'neg'), ('a "b", c', 'pos')],
    ),
    Case(
        name='MySQL, tabs and nulls',
        files={'a.tsv': b'text\tlabel\none\\\ttwo\\\nthree \\\\\tpos\n"\\tfour\tneg\n\\N\tpos\n'},
        rows=[('one\ttwo\nthree \\', 'pos'), ('"\tfour', 'neg')],
        rejected=['empty text'],
    ),
    Case(
        name='backslashes that are text',
        files={'a.csv': b'text,label\n"C:\\new, or \\N","pos"\n"a ""\\"" b","neg"\n'},
        rows=[('C:\\new, or \\N', 'pos'), ('a "\\" b', 'neg')],
    ),
    *[
        Case(
            name=f'delimiter {delimiter!r} in .{ending}',
            files={
                f'a.{ending}': f'text{delimiter}label\n"Fine, really"{delimiter}pos\n'
                f'Bad{delimiter}neg\n'.encode()
            },
            rows=_TWO,
        )
        for delimiter in ',;|\t'
        for ending in ('csv', 'tsv')
    ],
    Case(
        name='delimiter by option',
        files={'a.csv': b'text^label\nFine, really^pos\nBad^neg\n'},
        columns={'delimiter': '^'},
        rows=_TWO,
    ),
    Case(
        name='tab by name',
        files={'a.csv': b'text\tlabel\nFine, really\tpos\nBad\tneg\n'},
        columns={'delimiter': 'tab'},
        rows=_TWO,
    ),
    Case(
        name='Excel, with its first line',
        files={'a.csv': b'\xef\xbb\xbfsep=;\r\ntext;label\r\nFine, really;pos\r\nBad;neg\r\n'},
        rows=_TWO,
    ),
    Case(
        name='blank first lines',
        files={'a.csv': b'\r\n\r\ntext,label\r\n"Fine, really",pos\r\nBad,neg\r\n'},
        rows=_TWO,
    ),
    Case(
        name='no header',
        files={'a.tsv': b'pos\tFine, really\nneg\tBad\n'},
        columns=_NUMBERS,
        rows=_TWO,
    ),
    Case(
        name='no header, gzipped, other delimiter',
        files={'a.csv.gz': gzip.compress(b'pos;Fine, really;7\nneg;Bad;8\n', mtime=0)},
        columns=_NUMBERS,
        rows=_TWO,
    ),
    Case(
        name='no header, no option',
        files={'a.tsv': b'ham\tSee you at 5\nspam\tWin a prize\n'},
        error=['first line looks like a row', '--no-header', '--text-column 2'],
    ),
    Case(
        name='no header, names of columns',
        files={'a.csv': b'pos,Fine\nneg,Bad\n'},
        columns={'header': False},
        error=["no column 'text' in a.csv", "'1', '2'"],
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


def _read(content: bytes, name: str) -> list[tuple[str, str | None]]:
    found = formats.read_records(io.BytesIO(content), name, ColumnSettings(), None)
    return [(each.text, each.label) for each in found if isinstance(each, Record)]


def test_rows_are_read_once_when_the_input_is_a_pipe() -> None:
    reader, writer = os.pipe()
    content = b'text,label\n"a\nb",pos\n"c, d",neg\n'

    def write() -> None:
        with open(writer, 'wb') as file:
            file.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    with open(reader, 'rb') as stream:
        table = formats.open_table(stream, 'a.csv', ColumnSettings())
        assert [row.cells for row in table.rows] == [['a\nb', 'pos'], ['c, d', 'neg']]
    thread.join()


def test_file_is_described_as_it_is_read() -> None:
    columns = ColumnSettings.model_validate(_NUMBERS)
    stream = io.BytesIO(b'1;"Great" TV\n0;"Bad\n1;The 42" one\n')
    expected = "fields are separated by ';', quotes are text, no header"
    assert formats.describe_table(stream, 'a.csv', columns) == expected


def test_reading_stops_when_quotes_of_later_rows_may_be_either() -> None:
    rows = b'"a, b",pos\n' * 300 + b'"Great,1\nbad,0\nI bought the 42",1\n' * 400
    with pytest.raises(DataError, match='quotes may enclose fields or be text'):
        _read(b'text,label\n' + rows, 'a.csv')


@pytest.mark.parametrize(
    ('name', 'content', 'columns', 'expected'),
    [
        (
            'a.csv',
            b'sep=;\r\ntext;id\r\n"Fine; really";7\r\n',
            {},
            'sep=;\r\ntext;id;label;score\r\n"Fine; really";7;pos;0.75\r\n',
        ),
        (
            'a.tsv',
            b'id\ttext\n1\t"Great" TV\n2\t"Bad\n3\tThe 42" one\n',
            {},
            'id\ttext\tlabel\tscore\n1\t"Great" TV\tpos\t0.75\n2\t"Bad\tpos\t0.75\n'
            '3\tThe 42" one\tpos\t0.75\n',
        ),
        (
            'a.tsv',
            b'1\tFine\n2\tBad\n',
            {'header': False, 'text_column': '2'},
            '1\tFine\tpos\t0.75\n2\tBad\tpos\t0.75\n',
        ),
    ],
)
def test_scores_are_written_in_the_format_of_the_input(
    name: str, content: bytes, columns: dict[str, Any], expected: str
) -> None:
    source = open_source(io.BytesIO(content), name, ColumnSettings.model_validate(columns))
    kind = name.rpartition('.')[2]
    writer = RowWriter(source, kind, Columns('label', 'score'), ('neg', 'pos'))
    rows = [writer.row(row, Score('pos', '0.75')) for row, _ in source.rows]
    assert ''.join([writer.header(), *rows]) == expected


def _csv(quoting: int, delimiter: str) -> Callable[[list[list[str]]], str]:
    def write(rows: list[list[str]]) -> str:
        file = io.StringIO()
        csv.writer(
            file, quoting=quoting, delimiter=delimiter, escapechar='\\' if quoting == 3 else None
        ).writerows(rows)
        return file.getvalue()

    return write


def _mysql(rows: list[list[str]]) -> str:
    escaped = str.maketrans({each: f'\\{each}' for each in '\\\t\n'})
    return ''.join('\t'.join(cell.translate(escaped) for cell in row) + '\n' for row in rows)


_TEXTS = st.text(
    st.sampled_from('ab ,;\t\n"|é') | st.characters(exclude_categories=['Cs', 'Cc']), min_size=1
).filter(lambda text: text.strip() and text != '\\N')


@pytest.mark.parametrize('delimiter', [',', '\t', ';'])
@pytest.mark.parametrize('quoting', [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
@hypothesis_settings(deadline=None, max_examples=60)
@given(texts=st.lists(_TEXTS, min_size=1))
def test_rows_are_equal_or_refused_when_python_writes_them(
    quoting: int, delimiter: str, texts: list[str]
) -> None:
    rows = [[text, 'pos'] for text in texts]
    content = _csv(quoting, delimiter)([['text', 'label'], *rows]).encode()
    try:
        found = _read(content, 'a.csv')
    except DataError as err:
        assert 'quotes may enclose' in str(err)  # noqa: PT017
        return
    assert found == [(text, 'pos') for text in texts]


@pytest.mark.parametrize('write', [_mysql, _csv(csv.QUOTE_NONE, '\t')])
@hypothesis_settings(deadline=None, max_examples=60)
@given(texts=st.lists(_TEXTS, min_size=1))
def test_rows_are_equal_when_they_are_written_with_escapes(
    write: Callable[[list[list[str]]], str], texts: list[str]
) -> None:
    # Without an escaped delimiter, nothing tells that backslashes escape.
    texts = [*texts, 'one\ttwo\tthree']
    content = write([['text', 'label'], *[[text, 'pos'] for text in texts]]).encode()
    try:
        found = _read(content, 'a.tsv')
    except DataError as err:
        # As in two rows whose texts are one quote each.
        assert 'quotes may enclose' in str(err)  # noqa: PT017
        return
    assert found == [(text, 'pos') for text in texts]


def test_run_stops_when_quotes_of_escaped_rows_are_in_doubt() -> None:
    content = b'text\tlabel\n"\tpos\n"\tpos\none\\\ttwo\tpos\n'
    with pytest.raises(DataError, match='quotes may enclose fields or be text'):
        _read(content, 'a.tsv')


def test_rows_are_equal_when_pandas_writes_them() -> None:
    pandas = pytest.importorskip('pandas')
    rows = [('a "b", c\nd', 'pos'), ("it's; 'so'", 'neg'), ('"x, y', 'pos'), ('z\\', 'neg')]
    for delimiter in ',\t;':
        table = pandas.DataFrame(rows, columns=['text', 'label'])
        assert _read(table.to_csv(index=False, sep=delimiter).encode(), 'a.csv') == rows
        assert _read(table.to_csv(sep=delimiter).encode(), 'a.csv') == rows
