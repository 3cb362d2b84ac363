from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers.formats import format_of, read_columns, read_records
from components.readers.records import Record, Reject
from tests.components.example_gen.samples import encode_table

NAMES = [f'reviews.{ending}{gz}' for ending in ('csv', 'tsv', 'jsonl') for gz in ('', '.gz')]
ROWS = [
    ('Plain words.', 'pos'),
    ('She said "no", twice: ""', 'pos'),
    ('"', 'neg'),
    ('line one\nline two\r\nline three\rline four\n', 'pos'),
    ('a\ttab', 'neg'),
    ('Naïve café, 傑作, 😀, e\u0301, \u2028, \ufeff, \x85', 'pos'),
    ("it's <br /><br /> \\n no newline; #no comment", 'neg'),
    ('  spaces are kept  ', 'pos'),
    ('a great "film", ' * 30_000, 'neg'),  # four times the default limit of Python's csv
]
# The same in each process that collects the tests.
_GZIPPED = gzip.compress(b'text,label\n', mtime=0)


def read(
    name: str, content: bytes, *, split: str | None = None, **columns: Any
) -> list[Record | Reject]:
    return list(read_records(io.BytesIO(content), name, ColumnSettings(**columns), split))


def text_and_label(records: list[Record | Reject]) -> list[tuple[str, str]]:
    assert all(isinstance(record, Record) for record in records), records
    return [(record.text, record.label) for record in records if isinstance(record, Record)]


def table_rows(rows: list[tuple[str, str]]) -> list[dict[str, object]]:
    return [{'text': text, 'label': label} for text, label in rows]


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('a.csv', 'csv'),
        ('a.CSV', 'csv'),
        ('a.b.tsv', 'tsv'),
        ('a.tsv.GZ', 'tsv'),
        ('a.jsonl', 'jsonl'),
        ('a.ndjson.gz', 'jsonl'),
        ('a.TAR.gz', 'imdb_archive'),
        ('folder.csv/a.txt', None),
        ('a.json', 'json'),
        ('a.gz', None),
        ('csv', None),
        ('a.csv.zip', 'zip'),
        ('', None),
    ],
)
def test_format_is_recognised_when_the_name_has_a_known_ending(
    name: str, expected: str | None
) -> None:
    found = format_of(name)
    assert (found and found.name) == expected


@pytest.mark.parametrize('name', NAMES)
def test_texts_are_read_unchanged_when_they_need_quotes(name: str) -> None:
    assert text_and_label(read(name, encode_table(name, table_rows(ROWS)))) == ROWS


TEXTS = st.text(st.characters(exclude_categories=['Cs']), min_size=1).filter(str.strip)
DELIMITERS = {'any.csv': ',', 'any.tsv': '\t', 'any.jsonl': None}
LABELS = st.text(st.characters(exclude_categories=['Cs', 'Cc', 'Z']), min_size=1)


@pytest.mark.parametrize('name', ['any.csv', 'any.tsv', 'any.jsonl'])
@hypothesis_settings(deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, LABELS), min_size=1))
def test_rows_are_read_unchanged_when_texts_are_arbitrary(
    name: str, rows: list[tuple[str, str]]
) -> None:
    if name != 'any.jsonl':  # csv has no NUL
        rows = [(text.replace('\0', '␀'), label) for text, label in rows]
    content = encode_table(name, table_rows(rows))
    assert (
        text_and_label(read(name, content, quoting='minimal', delimiter=DELIMITERS[name])) == rows
    )


@pytest.mark.parametrize('name', NAMES)
def test_columns_are_found_when_names_and_order_differ(name: str) -> None:
    content = encode_table(name, [{'id': '7', 'Stars': 'good', 'Review text': 'Fine.', 'x': ''}])
    assert read(name, content, text_column='Review text', label_column='Stars') == [
        Record('Fine.', 'good', None, f'{name}:{1 if "jsonl" in name else 2}')
    ]
    assert read_columns(io.BytesIO(content), name, ColumnSettings()) == [
        'id',
        'Stars',
        'Review text',
        'x',
    ]


@pytest.mark.parametrize('name', NAMES[::2])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize('newline', ['\n', '\r\n', '\n\n\n'])
def test_rows_are_equal_when_line_breaks_and_byte_order_mark_differ(
    name: str, encoding: str, newline: str
) -> None:
    rows = [('Fine.', 'pos'), ('Bad.', 'neg')]
    table = encode_table(name, table_rows(rows)).decode()
    content = newline.join(table.splitlines()).encode(encoding)  # and no newline at the end
    assert text_and_label(read(name, content)) == rows
    assert read_columns(io.BytesIO(content), name, ColumnSettings()) == ['text', 'label']


@pytest.mark.parametrize(
    ('name', 'row', 'reason'),
    [
        ('a.csv', ',pos', 'empty text'),
        ('a.csv', '" \t",pos', 'empty text'),
        ('a.csv', 'Fine.,', 'no label'),
        ('a.csv', 'Fine.,  ', 'no label'),
        ('a.csv', 'Fine.', 'not 2 fields'),
        ('a.csv', 'Fine, but long.,pos', 'not 2 fields'),
        ('a.csv', '   ', 'not 2 fields'),
        ('a.csv', 'T\0wo.,pos', 'not UTF-8'),
        ('a.csv', 'Caf\udce9.,pos', 'not UTF-8'),
        ('a.csv.gz', 'Caf\udce9.,pos', 'not UTF-8'),
        ('a.tsv', 'Fine.\tpos\tpos', 'not 2 fields'),
        ('a.tsv', '\tpos', 'empty text'),
        ('a.tsv', 'T\0wo.\tpos', 'not UTF-8'),
        ('a.jsonl', '{"text": "", "label": 1}', 'empty text'),
        ('a.jsonl', '{"text": null, "label": 1}', 'empty text'),
        ('a.jsonl', '{"text": NaN, "label": 1}', 'empty text'),
        ('a.jsonl', '{"text": {"a": "b"}, "label": 1}', "an object in the column 'text'"),
        ('a.jsonl', '{"text": ["a"], "label": 1}', "a list in the column 'text'"),
        ('a.jsonl', '{"text": "Fine.", "label": {"a": 1}}', "an object in the column 'label'"),
        ('a.jsonl', '{"text": "Fine.", "label": NaN}', 'no label'),
        ('a.jsonl', '{"label": 1}', 'empty text'),
        ('a.jsonl', '{"text": "Fine."}', 'no label'),
        ('a.jsonl', '{"text": "Fine.", "label": null}', 'no label'),
        ('a.jsonl', '{"text": "Fine.", "label": " "}', 'no label'),
        ('a.jsonl', '["Fine.", 1]', 'not a JSON object'),
        ('a.jsonl', '"Fine."', 'not a JSON object'),
        ('a.jsonl', '{"text": "Fine.", "label": 1', 'not JSON'),
        ('a.jsonl', "{'text': 'Fine.', 'label': 1}", 'not JSON'),
        ('a.jsonl', '{"text": "Fi\0ne.", "label": 1}', 'not JSON'),
        ('a.jsonl', '{"text": "Caf\udce9.", "label": 1}', 'not UTF-8'),
        ('a.jsonl', r'{"text": "\ud83d", "label": 1}', 'not UTF-8'),
        pytest.param('a.jsonl', '[' * 100_000, 'not JSON', id='a.jsonl-too deep'),
    ],
)
def test_reject_names_file_and_line_when_a_row_cannot_be_used(
    name: str, row: str, reason: str
) -> None:
    good = table_rows([('One.', 'pos'), ('Two.', 'neg')])
    plain = name.removesuffix('.gz')
    first, second = encode_table(plain, good[:1]).decode(), encode_table(plain, good).decode()
    content = (first + row + '\n' + second.removeprefix(first)).encode('utf-8', 'surrogateescape')
    found = read(name, gzip.compress(content) if name != plain else content)
    assert found[1] == Reject(reason, f'{name}:{len(first.splitlines()) + 1}')
    assert text_and_label([found[0], *found[2:]]) == [('One.', 'pos'), ('Two.', 'neg')]


@pytest.mark.parametrize('newline', ['\r', '\n', '\r\n'])
def test_place_is_the_first_line_of_the_row_when_texts_have_line_breaks(newline: str) -> None:
    lines = ['text,label', '"one', 'two",pos', ',neg', 'three,neg', '']
    assert [(found[0], found.where) for found in read('a.csv', newline.join(lines).encode())] == [
        (f'one{newline}two', 'a.csv:2'),
        ('empty text', 'a.csv:4'),
        ('three', 'a.csv:5'),
    ]


@pytest.mark.parametrize(
    ('label', 'spelling'),
    [
        ('1', '1'),
        ('1.0', '1'),
        ('0.0', '0'),
        ('-1', '-1'),
        ('true', 'true'),
        ('"pos"', 'pos'),
        ('" pos\\n"', 'pos'),
        ('2.5', '2.5'),
        ('1e400', 'inf'),
        ('1' * 4_000, '1' * 4_000),
        ('0, "text": "b", "label": 7', '7'),  # the last value of a key counts
    ],
)
def test_label_is_converted_to_text_when_json_has_another_type(label: str, spelling: str) -> None:
    (found,) = read('a.jsonl', f'{{"text": "Fine.", "label": {label}}}'.encode())
    assert found[1] == spelling


@pytest.mark.parametrize('name', ['reviews.csv.gz', 'reviews.jsonl.gz'])
@pytest.mark.parametrize(
    'damage',
    ['not gzip at all', 'nearly empty', 'truncated', 'flipped bits', 'wrong checksum', 'garbage'],
)
def test_file_is_refused_when_its_gzip_is_damaged(name: str, damage: str) -> None:
    content = bytearray(encode_table(name, table_rows(ROWS)))
    if damage == 'not gzip at all':
        content = bytearray(encode_table(name.removesuffix('.gz'), table_rows(ROWS)))
    elif damage == 'garbage':
        content += b'garbage'
    elif damage in ('nearly empty', 'truncated'):
        del content[1 if damage == 'nearly empty' else -9 :]
    else:
        content[12 if damage == 'flipped bits' else -6] ^= 0xFF
    with pytest.raises(DataError, match=rf'{name} cannot be read to its end: ') as caught:
        read(name, bytes(content))
    assert 'complete' in caught.value.hint


FOLD = {'split_column': 'fold'}
QUOTED = {'quoting': 'minimal'}


@pytest.mark.parametrize(
    ('name', 'content', 'columns', 'message', 'hint'),
    [
        ('a.csv', b'', {}, "no column 'text' in a.csv; its columns are none", ''),
        ('a.csv.gz', gzip.compress(b'', mtime=0), {}, 'in a.csv.gz; its columns are none', ''),
        ('a.csv', b'text\n', {'text_column': 'x'}, "'x' in .* are 'text'$", '--text-column'),
        ('a.csv', b'text\n', {'label_column': 'x'}, "'x' in .* are 'text'$", '--label-column'),
        ('a.csv', b'text,label\n', FOLD, "'fold' in .* 'text', 'label'$", '--split-column'),
        ('a.csv', b'text,text,label\na,b,pos\n', {}, "more than one column 'text' in a.csv", ''),
        ('a.csv', b'text,label,label\na,b,pos\n', {}, "more than one column 'label' in", ''),
        ('a.csv', b'text,label\na,1\n"b,0\nc,1\n', QUOTED, 'a.csv:3.*unexpected end', 'quotes'),
        ('a.csv', b'text,label\na,1\nb,"0', QUOTED, 'a.csv:3.*unexpected end of data', 'quotes'),
        ('a.csv', b'text,label\n"a\n",1\n"b" or,0\n', {}, 'a.csv:4.*expected after', 'quotes'),
        ('a.csv', b'text,label\n"a, b",1\n"b" or,0\n', {}, 'a.csv:3.*expected after', 'none'),
        ('a.csv', b'text,label,fold\na,1,train\nb,0,\n', FOLD, "a.csv:3: .*'fold' holds ''", ''),
        ('a.csv', b'text,label,fold\na,1,0\n', FOLD, "a.csv:2: .* 'fold' holds '0'", 'unsup'),
        ('a.jsonl', b'{"text": "b", "label": 0}', FOLD, "a.jsonl:1: .*'fold' holds ''", ''),
        ('a.csv', _GZIPPED, {}, 'a.csv is gzip', 'end in .gz'),
        ('a.csv.gz', gzip.compress(_GZIPPED, mtime=0), {}, 'a.csv.gz is gzip', 'compressed twice'),
        ('a.csv', b'PK\x03\x04' + bytes(30), {}, 'a.csv is a zip or Excel file', 'as CSV'),
        ('a.csv', b'PAR1' + bytes(30), {}, 'a.csv is a Parquet file', 'to end in .parquet'),
    ],
)
def test_error_states_the_problem_and_what_to_do_when_a_table_cannot_be_read(
    name: str, content: bytes, columns: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(name, content, **columns)
    assert hint in caught.value.hint


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.csv.gz'])
@pytest.mark.parametrize(
    ('encoding', 'label'),
    [('utf-16', 'UTF-16'), ('utf-16-le', 'UTF-16'), ('utf-16-be', 'UTF-16'), ('utf-32', 'UTF-32')],
)
def test_error_names_the_encoding_when_it_is_not_utf8(name: str, encoding: str, label: str) -> None:
    content = encode_table(name.removesuffix('.gz'), table_rows(ROWS)).decode().encode(encoding)
    with pytest.raises(DataError, match=f'{name} is {label}, expected UTF-8 text') as caught:
        read(name, gzip.compress(content) if name.endswith('.gz') else content)
    assert f'iconv -f {label}' in caught.value.hint


@pytest.mark.parametrize(
    ('value', 'split'),
    [
        ('train', 'train'),
        ('Training', 'train'),
        (' VAL ', 'val'),
        ('valid', 'val'),
        ('validation', 'val'),
        ('dev', 'val'),
        ('test', 'test'),
        ('Testing', 'test'),
        ('unsup', 'unsup'),
        ('Unlabelled', 'unsup'),
        ('unlabeled', 'unsup'),
    ],
)
@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl'])
def test_split_is_recognised_when_its_name_is_a_common_one(
    name: str, value: str, split: str
) -> None:
    (record,) = read(name, encode_table(name, [{'text': 'a', 'label': '1', 'fold': value}]), **FOLD)
    assert record[1:3] == (None if split == 'unsup' else '1', split)


ROW = Record('Fine.', 'pos', None, 'a.csv:2')
UNLABELLED = Record('Fine.', None, 'unsup', 'a.csv:2')
_TWO_MEMBERS = b''.join(gzip.compress(part, mtime=0) for part in (b'text,label\nFine', b'.,pos\n'))


@pytest.mark.parametrize(
    ('name', 'content', 'settings', 'expected'),
    [
        ('a.csv', b'text,label,by\nFine.,pos,Jos\xe9\n', {}, [ROW]),
        ('a.csv', b'text,label,fold\nFine.,,unsup\n,,unsup\nLost.,,train\n', FOLD,
         [UNLABELLED, Reject('empty text', 'a.csv:3'), Reject('no label', 'a.csv:4')]),
        ('a.csv', b'text,label,fold\nFine.,pos,train\n', {**FOLD, 'split': 'test'},
         [ROW._replace(split='test')]),
        ('a.csv.gz', _TWO_MEMBERS, {}, [ROW._replace(where='a.csv.gz:2')]),
        ('a.csv', b'text,label', {}, []),
        ('a.csv', b'text,label\r\n', {}, []),
        ('a.csv', b'\xef\xbb\xbftext,label\n', {}, []),
        ('a.jsonl', b'\xef', {}, [Reject('not JSON', 'a.jsonl:1')]),
        ('a.jsonl', b'\xef\xbb', {}, [Reject('not JSON', 'a.jsonl:1')]),
        pytest.param(
            'a.jsonl', b'{"text": "a", "label": ' + b'9' * 5_000 + b'}', {},
            [Reject('not JSON', 'a.jsonl:1')], id='more digits than Python reads',
        ),
    ],
)  # fmt: skip
def test_each_row_is_read_or_rejected_when_a_table_is_unusual(
    name: str, content: bytes, settings: dict[str, Any], expected: list[Record | Reject]
) -> None:
    assert read(name, content, **settings) == expected


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl'])
def test_label_column_is_optional_when_the_file_is_unlabelled(name: str) -> None:
    content = encode_table(name, [{'text': 'Who knows.'}, {'text': ' '}])
    first, second = read(name, content, split='unsup')
    assert first[:3] == ('Who knows.', None, 'unsup')
    assert second[0] == 'empty text'


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize('size', [39, 40, 41, 80, 81, 82, 100])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_line_numbers_are_correct_when_a_line_is_too_long(size: int, end: str) -> None:
    lines = ['b' * size, '', '{"text": "c"}', '']
    found = read('a.jsonl', end.join(lines).encode())
    reason = 'not JSON' if size + len(end) <= 40 else 'too long'
    assert found == [Reject(reason, 'a.jsonl:1'), Reject('no label', 'a.jsonl:3')]


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize(
    'row',
    ['b' * 100 + ',pos', '"' + 'b' * 100, '"' + 'b\n' * 100, '"b\n",' * 20],
    ids=['line', 'field', 'lines of a field', 'fields'],
)
def test_error_names_the_line_when_a_row_of_csv_is_too_long(row: str) -> None:
    with pytest.raises(DataError, match=r'a.csv:3: .*(longer than|larger than field limit)'):
        read('a.csv', f'text,label\nFine.,pos\n{row}\n'.encode(), **QUOTED)


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize('row', ['"b\n",' * 20, 'a",",' + 'b' * 20 + '\n'], ids=['one', 'each'])
def test_file_is_refused_when_rows_have_no_end_if_quotes_enclose_fields(row: str) -> None:
    with pytest.raises(DataError, match=r'a.csv:3: the row is longer than 40 characters'):
        read('a.csv', f'text,label\nFine.,pos\n{row * 200}'.encode())


@pytest.mark.usefixtures('short_rows')
def test_quotes_are_text_when_rows_have_no_end_otherwise() -> None:
    lines = 'text,label\n"Fine,pos\n' + 'Bad,neg\n' * 20 + '"Fine,pos\n' + 'Bad,neg\n' * 20
    found = read('a.csv', lines.encode())
    assert [each[:2] for each in found[:2]] == [('"Fine', 'pos'), ('Bad', 'neg')]
    assert len(found) == 42


def test_error_names_the_header_when_it_has_no_end() -> None:
    header = 'text,label,' + '"a\n",' * 300_000
    with pytest.raises(DataError, match=r'a.csv:1: the header is longer than 1,048,576 characters'):
        read('a.csv', header.encode(), **QUOTED)


def test_message_is_short_when_there_are_100_000_columns() -> None:
    header = ','.join(f'c{number}' for number in range(100_000)).encode()
    with pytest.raises(DataError, match=r"its columns are 'c0', .*'c9' and 99,990 more$") as caught:
        read('a.csv', header + b'\n')
    assert len(str(caught.value)) < 200
