from __future__ import annotations

import gzip
import io
import random
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

FORMATS = ['csv', 'tsv', 'jsonl', 'ndjson']
NAMES = [f'reviews.{ending}{gz}' for ending in FORMATS[:3] for gz in ('', '.gz')]
ROWS = [
    ('Plain words.', 'pos'),
    ('One, two, three', 'neg'),
    ('She said "no", twice: ""', 'pos'),
    ('"', 'neg'),
    ('line one\nline two\r\nline three\rline four\n', 'pos'),
    ('a\ttab', 'neg'),
    ('Naïve café, 傑作, 😀, e\u0301, \u2028, \ufeff, \x85', 'pos'),
    ("it's <br /><br /> \\n no newline; #no comment", 'neg'),
    ('  spaces are kept  ', 'pos'),
    ('=1+1', 'neg'),
]

# The same in each process that collects the tests.
_GZIPPED = gzip.compress(b'text,label\n', mtime=0)


def read(
    name: str, content: bytes, *, split: str | None = None, **columns: Any
) -> list[Record | Reject]:
    return list(read_records(io.BytesIO(content), name, ColumnSettings(**columns), split))


def pairs(records: list[Record | Reject]) -> list[tuple[str, str]]:
    assert all(isinstance(record, Record) for record in records), records
    return [(record.text, record.label) for record in records if isinstance(record, Record)]


def rejects(records: list[Record | Reject]) -> list[Reject]:
    return [record for record in records if isinstance(record, Reject)]


def labelled(rows: list[tuple[str, str]]) -> list[dict[str, object]]:
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
        ('folder.csv/a.txt', None),
        ('a.json', None),
        ('a.gz', None),
        ('csv', None),
        ('a.csv.zip', None),
        ('', None),
        ('a.TAR.gz', 'imdb_archive'),
    ],
)
def test_format_is_told_when_only_the_name_is_known(name: str, expected: str | None) -> None:
    found = format_of(name)
    assert (found and found.name) == expected


@pytest.mark.parametrize('name', NAMES)
def test_texts_come_back_equal_when_they_need_quotes(name: str) -> None:
    assert pairs(read(name, encode_table(name, labelled(ROWS)))) == ROWS


TEXTS = st.text(st.characters(exclude_categories=['Cs']), min_size=1).filter(str.strip)
LABELS = st.text(st.characters(exclude_categories=['Cs', 'Cc', 'Z']), min_size=1)


@pytest.mark.parametrize('name', ['any.csv', 'any.tsv'])
@hypothesis_settings(deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, LABELS), min_size=1))
def test_any_row_comes_back_equal_when_csv_wrote_it(name: str, rows: list[tuple[str, str]]) -> None:
    rows = [(text.replace('\0', '␀'), label) for text, label in rows]  # csv has no NUL
    assert pairs(read(name, encode_table(name, labelled(rows)))) == rows


@hypothesis_settings(deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, LABELS), min_size=1))
def test_any_row_comes_back_equal_when_json_wrote_it(rows: list[tuple[str, str]]) -> None:
    assert pairs(read('any.jsonl', encode_table('any.jsonl', labelled(rows)))) == rows


@pytest.mark.parametrize('name', NAMES)
def test_columns_are_found_when_they_have_other_names_and_places(name: str) -> None:
    content = encode_table(name, [{'id': '7', 'Stars': 'good', 'Review text': 'Fine.', 'x': ''}])
    assert read(name, content, text_column='Review text', label_column='Stars') == [
        Record('Fine.', 'good', None, f'{name}:{1 if "jsonl" in name else 2}')
    ]
    assert read_columns(io.BytesIO(content), name) == ['id', 'Stars', 'Review text', 'x']


@pytest.mark.parametrize('name', NAMES[::2])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
@pytest.mark.parametrize('newline', ['\n', '\r\n'])
def test_rows_are_equal_when_windows_wrote_the_file(name: str, encoding: str, newline: str) -> None:
    table = encode_table(name, labelled([('Fine.', 'pos'), ('Bad.', 'neg')])).decode()
    content = newline.join(table.splitlines()).encode(encoding)  # and no newline at the end
    assert pairs(read(name, content)) == [('Fine.', 'pos'), ('Bad.', 'neg')]
    assert read_columns(io.BytesIO(content), name) == ['text', 'label']


@pytest.mark.parametrize('name', NAMES)
def test_row_is_rejected_alone_when_it_is_not_utf8(name: str) -> None:
    plain = name.removesuffix('.gz')
    content = encode_table(plain, labelled([('One.', 'pos'), ('Caf@.', 'neg'), ('Two.', 'neg')]))
    content = content.replace(b'Caf@', 'Café'.encode('latin-1'))
    found = read(name, gzip.compress(content) if name != plain else content)
    line = 2 if 'jsonl' in name else 3
    assert rejects(found) == [Reject('not UTF-8', f'{name}:{line}')]
    assert pairs([found[0], found[2]]) == [('One.', 'pos'), ('Two.', 'neg')]


def test_row_is_rejected_when_json_escapes_half_a_character() -> None:
    assert read('a.jsonl', rb'{"text": "\ud83d", "label": 1}') == [Reject('not UTF-8', 'a.jsonl:1')]


def test_row_is_kept_when_a_column_that_nobody_asked_for_is_not_utf8() -> None:
    assert pairs(read('a.csv', b'text,label,by\nFine.,pos,Jos\xe9\n')) == [('Fine.', 'pos')]


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
        ('a.tsv', 'Fine.\tpos\tpos', 'not 2 fields'),
        ('a.tsv', '\tpos', 'empty text'),
        ('a.jsonl', '{"text": "", "label": 1}', 'empty text'),
        ('a.jsonl', '{"text": null, "label": 1}', 'empty text'),
        ('a.jsonl', '{"text": 5, "label": 1}', 'empty text'),
        ('a.jsonl', '{"label": 1}', 'empty text'),
        ('a.jsonl', '{"text": "Fine."}', 'no label'),
        ('a.jsonl', '{"text": "Fine.", "label": null}', 'no label'),
        ('a.jsonl', '{"text": "Fine.", "label": " "}', 'no label'),
        ('a.jsonl', '["Fine.", 1]', 'not a JSON object'),
        ('a.jsonl', '"Fine."', 'not a JSON object'),
        ('a.jsonl', '{"text": "Fine.", "label": 1', 'not JSON'),
        ('a.jsonl', "{'text': 'Fine.', 'label': 1}", 'not JSON'),
        ('a.jsonl', '{"text": "Fi\0ne.", "label": 1}', 'not JSON'),
        pytest.param('a.jsonl', '[' * 100_000, 'not JSON', id='a.jsonl-too deep'),
    ],
)
def test_reject_names_file_and_line_when_a_row_cannot_be_used(
    name: str, row: str, reason: str
) -> None:
    good = labelled([('One.', 'pos'), ('Two.', 'neg')])
    first, second = encode_table(name, good[:1]).decode(), encode_table(name, good).decode()
    content = first + row + '\n' + second.removeprefix(first)
    found = read(name, content.encode())
    assert found[1] == Reject(reason, f'{name}:{len(first.splitlines()) + 1}')
    assert pairs([found[0], *found[2:]]) == [('One.', 'pos'), ('Two.', 'neg')]


@pytest.mark.parametrize('blank', ['\n', '\r\n', '\n\n\n'])
@pytest.mark.parametrize('name', NAMES[::2])
def test_blank_lines_are_passed_over_when_they_separate_rows(name: str, blank: str) -> None:
    rows = [('One.', 'pos'), ('Two.', 'neg')]
    lines = encode_table(name, labelled(rows)).decode().splitlines()
    assert pairs(read(name, ('\n' + blank).join([*lines, '']).encode())) == rows


def test_reject_names_the_line_where_its_row_starts_when_texts_have_newlines() -> None:
    content = b'text,label\n"one\ntwo\nthree",pos\nbad\n"four\nfive",\nFine.,neg\n'
    assert [found.where for found in read('a.csv', content)] == [
        'a.csv:2',
        'a.csv:5',
        'a.csv:6',
        'a.csv:8',
    ]


@pytest.mark.parametrize(
    ('label', 'spelling'),
    [
        ('1', '1'),
        ('1.0', '1'),
        ('0', '0'),
        ('0.0', '0'),
        ('-1', '-1'),
        ('true', 'true'),
        ('false', 'false'),
        ('"pos"', 'pos'),
        ('" pos\\n"', 'pos'),
        ('"1"', '1'),
        ('2.5', '2.5'),
        ('NaN', 'nan'),
        ('1e400', 'inf'),
    ],
)
def test_label_is_spelled_plainly_when_json_has_another_type(label: str, spelling: str) -> None:
    found = read('a.jsonl', f'{{"text": "Fine.", "label": {label}}}'.encode())
    assert pairs(found) == [('Fine.', spelling)]


@pytest.mark.parametrize('name', NAMES)
def test_text_is_whole_when_it_is_huge(name: str) -> None:
    text = 'a great "film", ' * 30_000  # four times the limit that Python's csv starts with
    assert pairs(read(name, encode_table(name, labelled([(text, 'pos')])))) == [(text, 'pos')]


@pytest.mark.parametrize('ending', ['csv.gz', 'tsv.gz', 'jsonl.gz'])
@pytest.mark.parametrize('part', [0.001, 0.3, 0.9, 0.999])
def test_file_is_refused_when_its_gzip_is_cut_off(ending: str, part: float) -> None:
    name = f'reviews.{ending}'
    texts = [random.Random(number).randbytes(50).hex() for number in range(2_000)]
    content = encode_table(name, labelled([(text, 'pos') for text in texts]))
    cut = content[: max(1, int(len(content) * part))]
    with pytest.raises(DataError, match=rf'{name} cannot be read to its end: ') as caught:
        read(name, cut)
    assert 'complete' in caught.value.hint


@pytest.mark.parametrize('name', ['reviews.csv.gz', 'reviews.jsonl.gz'])
@pytest.mark.parametrize(
    'damage', ['not gzip at all', 'flipped bits', 'wrong checksum', 'garbage behind it']
)
def test_file_is_refused_when_its_gzip_is_damaged(name: str, damage: str) -> None:
    content = bytearray(encode_table(name, labelled(ROWS)))
    if damage == 'not gzip at all':
        content = bytearray(encode_table(name.removesuffix('.gz'), labelled(ROWS)))
    elif damage == 'garbage behind it':
        content += b'garbage'
    else:
        content[12 if damage == 'flipped bits' else -6] ^= 0xFF
    with pytest.raises(DataError, match=rf'{name} cannot be read to its end: '):
        read(name, bytes(content))


def test_rows_are_all_read_when_gzip_members_follow_each_other() -> None:
    content = gzip.compress(b'text,label\nOne.,pos\n') + gzip.compress(b'Two.,neg\n')
    assert pairs(read('a.csv.gz', content)) == [('One.', 'pos'), ('Two.', 'neg')]


@pytest.mark.parametrize('name', ['a.csv', 'a.csv.gz'])
@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ('One.,pos\n"Two.,neg\nThree.,pos\n', 'a.csv(.gz)?:3.*unexpected end of data'),
        ('One.,pos\nTwo.,"neg', 'a.csv(.gz)?:3.*unexpected end of data'),
        ('"One\n",pos\n"Two" or so.,neg\n', 'a.csv(.gz)?:4.*expected after'),
    ],
)
def test_error_names_the_line_when_quotes_do_not_match(name: str, rows: str, message: str) -> None:
    content = ('text,label\n' + rows).encode()
    with pytest.raises(DataError, match=message):
        read(name, gzip.compress(content) if name.endswith('.gz') else content)


@pytest.mark.parametrize('name', ['a.csv', 'a.tsv'])
def test_row_is_rejected_alone_when_it_holds_a_nul_byte(name: str) -> None:
    content = encode_table(name, labelled([('One.', 'pos'), ('T@wo.', 'neg'), ('Three.', 'neg')]))
    found = read(name, content.replace(b'@', b'\0'))
    assert [reject.where for reject in rejects(found)] == [f'{name}:3']
    assert pairs([found[0], found[2]]) == [('One.', 'pos'), ('Three.', 'neg')]


@pytest.mark.parametrize(
    ('columns', 'message', 'hint'),
    [
        ({'text_column': 'review'}, "no column 'review' in a.csv", '--text-column'),
        ({'label_column': 'Label'}, "no column 'Label' in a.csv", '--label-column'),
        ({'split_column': 'fold'}, "no column 'fold' in a.csv", '--split-column'),
    ],
)
def test_error_lists_the_columns_when_one_is_missing(
    columns: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(DataError, match=f"{message}; its columns are 'text', 'label'$") as caught:
        read('a.csv', b'text,label\nFine.,pos\n', **columns)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ('name', 'content'), [('a.csv', b''), ('a.csv.gz', gzip.compress(b'', mtime=0))]
)
def test_error_says_so_when_there_are_no_columns(name: str, content: bytes) -> None:
    with pytest.raises(DataError, match=rf"no column 'text' in {name}; its columns are none"):
        read(name, content)


@pytest.mark.parametrize('content', [b'text,label', b'text,label\r\n', b'\xef\xbb\xbftext,label\n'])
def test_table_is_empty_when_it_has_only_a_header(content: bytes) -> None:
    assert read('a.csv', content) == []


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
    ],
)
@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl'])
def test_split_is_known_when_its_column_spells_it_as_people_do(
    name: str, value: str, split: str
) -> None:
    content = encode_table(name, [{'text': 'Fine.', 'label': 'pos', 'fold': value}])
    (record,) = read(name, content, split_column='fold')
    assert isinstance(record, Record)
    assert record.split == split


@pytest.mark.parametrize('value', ['', 'holdout', '0', 'train,test'])
def test_error_names_the_row_when_its_split_is_unknown(value: str) -> None:
    rows = [{'text': 'Fine.', 'label': 'pos', 'fold': fold} for fold in ('train', value)]
    with pytest.raises(DataError, match=rf"a.csv:3: the split column 'fold' holds '{value}'"):
        read('a.csv', encode_table('a.csv', rows), split_column='fold')


def test_error_names_the_row_when_json_has_no_split_there() -> None:
    content = b'{"text": "a", "label": 1, "fold": "val"}\n{"text": "b", "label": 0}\n'
    with pytest.raises(DataError, match=r"a.jsonl:2: the split column 'fold' holds ''"):
        read('a.jsonl', content, split_column='fold')


def test_split_of_the_file_holds_when_a_column_says_something_else() -> None:
    content = b'text,label,fold\nFine.,pos,train\n'
    assert read('a.csv', content, split='test', split_column='fold') == [
        Record('Fine.', 'pos', 'test', 'a.csv:2')
    ]


@pytest.mark.parametrize('value', ['unsup', 'Unlabelled', 'unlabeled'])
def test_row_has_no_label_when_the_split_column_says_so(value: str) -> None:
    rows = [
        {'text': 'Fine.', 'label': 'pos', 'fold': 'train'},
        {'text': 'Who knows.', 'label': '', 'fold': value},
        {'text': 'It has one.', 'label': 'neg', 'fold': value},
        {'text': 'Lost.', 'label': '', 'fold': 'train'},
    ]
    assert read('a.csv', encode_table('a.csv', rows), split_column='fold') == [
        Record('Fine.', 'pos', 'train', 'a.csv:2'),
        Record('Who knows.', None, 'unsup', 'a.csv:3'),
        Record('It has one.', None, 'unsup', 'a.csv:4'),
        Reject('no label', 'a.csv:5'),
    ]


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl'])
def test_label_column_may_be_missing_when_the_file_has_no_labels(name: str) -> None:
    content = encode_table(name, [{'text': 'Who knows.'}, {'text': ' '}])
    first, second = read(name, content, split='unsup')
    assert first[:3] == ('Who knows.', None, 'unsup')
    assert second[0] == 'empty text'


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.csv.gz'])
@pytest.mark.parametrize(
    ('encoding', 'told'),
    [('utf-16', 'UTF-16'), ('utf-16-le', 'UTF-16'), ('utf-16-be', 'UTF-16'), ('utf-32', 'UTF-32')],
)
def test_error_names_the_encoding_when_it_is_not_utf8(name: str, encoding: str, told: str) -> None:
    content = encode_table(name.removesuffix('.gz'), labelled(ROWS)).decode().encode(encoding)
    with pytest.raises(DataError, match=f'{name} is {told}, expected UTF-8 text') as caught:
        read(name, gzip.compress(content) if name.endswith('.gz') else content)
    assert f'iconv -f {told}' in caught.value.hint


@pytest.mark.parametrize(
    ('name', 'content', 'message', 'hint'),
    [
        ('a.csv', _GZIPPED, 'a.csv is gzip', 'end in .gz'),
        ('a.csv.gz', gzip.compress(_GZIPPED, mtime=0), 'a.csv.gz is gzip', 'packed twice'),
        ('a.csv', b'PK\x03\x04' + bytes(30), 'a.csv is a zip or Excel file', 'as CSV'),
    ],
)
def test_error_says_how_it_is_packed_when_the_name_says_otherwise(
    name: str, content: bytes, message: str, hint: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(name, content)
    assert hint in caught.value.hint


@pytest.mark.parametrize('newline', ['\r', '\n', '\r\n'])
def test_rows_and_lines_are_right_when_lines_end_in_any_way(newline: str) -> None:
    content = newline.join(['text,label', '"one', 'two",pos', ',neg', 'three,neg', '']).encode()
    assert [(found[0], found.where) for found in read('a.csv', content)] == [
        (f'one{newline}two', 'a.csv:2'),
        ('empty text', 'a.csv:4'),
        ('three', 'a.csv:5'),
    ]


@pytest.mark.parametrize('header', ['text,text,label', 'text,label,label'])
def test_error_says_so_when_two_columns_have_the_name(header: str) -> None:
    with pytest.raises(DataError, match=r"more than one column '(text|label)' in a.csv"):
        read('a.csv', f'{header}\na,b,pos\n'.encode())


def test_message_is_short_when_there_are_100_000_columns() -> None:
    header = ','.join(f'c{number}' for number in range(100_000)).encode()
    with pytest.raises(DataError, match=r"its columns are 'c0', .* … .*'c99999'$") as caught:
        read('a.csv', header + b'\n')
    assert len(str(caught.value)) < 2_100


def test_last_value_counts_when_a_json_object_has_a_key_twice() -> None:
    content = b'{"text": "a", "label": 0, "text": "b", "label": 1}'
    assert pairs(read('a.jsonl', content)) == [('b', '1')]


@pytest.mark.parametrize('label', ['9' * 5_000, '1' * 4_000])
def test_label_is_read_or_rejected_when_it_is_a_huge_number(label: str) -> None:
    (found,) = read('a.jsonl', f'{{"text": "a", "label": {label}}}'.encode())
    # Python reads no more than 4,300 digits.
    assert found[:2] == (('not JSON', 'a.jsonl:1') if len(label) > 4_300 else ('a', label))


@pytest.mark.usefixtures('short_rows')
def test_object_is_rejected_alone_when_its_line_is_too_long() -> None:
    lines = ['{"text": "a", "label": 1}', '{"text": "' + 'b' * 100 + '"}', '{"text": "c"}', '']
    assert read('a.jsonl', '\n'.join(lines).encode()) == [
        Record('a', '1', None, 'a.jsonl:1'),
        Reject('too long', 'a.jsonl:2'),
        Reject('no label', 'a.jsonl:3'),
    ]


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize('size', [39, 40, 41, 80, 81, 82, 100])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_lines_are_counted_when_one_is_too_long_wherever_it_is_cut(size: int, end: str) -> None:
    lines = ['b' * size, '', 'c', '']
    found = read('a.jsonl', end.join(lines).encode())
    reason = 'not JSON' if size + len(end) <= 40 else 'too long'
    assert found == [Reject(reason, 'a.jsonl:1'), Reject('not JSON', 'a.jsonl:3')]


@pytest.mark.usefixtures('short_rows')
@pytest.mark.parametrize(
    'row',
    ['b' * 100 + ',pos', '"' + 'b' * 100, '"' + 'b\n' * 100, '"b\n",' * 20],
    ids=['line', 'field', 'lines of a field', 'fields'],
)
def test_error_names_the_line_when_a_row_of_csv_is_too_long(row: str) -> None:
    with pytest.raises(DataError, match=r'a.csv:3: .*(longer than|larger than field limit)'):
        read('a.csv', f'text,label\nFine.,pos\n{row}\n'.encode())


@pytest.mark.parametrize('content', [b'\xef', b'\xef\xbb'])
def test_row_is_rejected_when_it_is_half_a_byte_order_mark(content: bytes) -> None:
    (row,) = read_records(io.BytesIO(content), 'a.jsonl', ColumnSettings(), None)
    assert row == Reject('not JSON', 'a.jsonl:1')
