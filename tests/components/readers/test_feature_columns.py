from __future__ import annotations

import io
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers.feature_columns import find_types, widest
from components.readers.formats import read_feature_types, read_records
from components.readers.records import Record, Reject
from tests.components.example_gen.samples import encode_table

INTS = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
STRINGS = st.text(st.characters(exclude_categories=['Cs', 'Cc']), min_size=1).filter(str.strip)
NAMES = ['any.csv', 'any.tsv', 'any.jsonl']


def read(name: str, content: bytes, *features: str) -> list[Record | Reject]:
    columns = ColumnSettings(features=features)
    return list(read_records(io.BytesIO(content), name, columns, None))


def read_cell(name: str, value: str, feature: str) -> Any:
    """Read a row with one feature column; the value is CSV or JSON."""
    if name == 'a.jsonl':
        content = f'{{"text": "Fine.", "label": 1, "x": {value}}}'
    else:
        content = f'text,label,x\nFine.,1,{value}'
    (record,) = read(name, content.encode('utf-8', 'surrogateescape'), feature)
    return record.features[0] if isinstance(record, Record) else record.reason


@pytest.mark.parametrize('name', NAMES)
@hypothesis_settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.tuples(st.none() | INTS, st.none() | FLOATS, st.none() | STRINGS), min_size=1)
)
def test_values_keep_their_type_when_some_are_missing(name: str, rows: list[Any]) -> None:
    table = [
        {'text': 'Fine.', 'label': 'pos', 'age': age, 'price': price, 'product': product}
        for age, price, product in rows
    ]
    content = encode_table(name, table)
    found = read(name, content, 'age:int', 'price:float', 'product:string')
    expected = [(age, price, product and product.strip()) for age, price, product in rows]
    assert [record.features for record in found if isinstance(record, Record)] == expected

    names = ('age', 'price', 'product')
    types = read_feature_types(io.BytesIO(content), name, ColumnSettings(features=names), len(rows))
    for kind, values in zip(('int', 'float', 'string'), zip(*expected)):
        present = [value for value in values if value is not None]
        column = names[('int', 'float', 'string').index(kind)]
        if not present:
            assert types[column] is None
        elif kind != 'string' or name == 'any.jsonl':
            assert types[column] == kind


@pytest.mark.parametrize(
    ('name', 'value', 'feature', 'expected'),
    [
        ('a.csv', '', 'x:int', None),
        ('a.csv', '  ', 'x:string', None),
        ('a.csv', ' 5 ', 'x:int', 5),
        ('a.csv', '-007', 'x:int', -7),
        ('a.csv', '0' * 5_000, 'x:int', "a number that is out of range in the int column 'x'"),
        ('a.csv', '9' * 19, 'x:int', "a number that is out of range in the int column 'x'"),
        ('a.csv', '9' * 19, 'x:float', 9999999999999999999.0),
        ('a.csv', '5.0', 'x:int', "a decimal number in the int column 'x'"),
        ('a.csv', '1_000', 'x:int', "text in the int column 'x'"),
        ('a.csv', '٣', 'x:int', "text in the int column 'x'"),
        ('a.csv', 'five', 'x:float', "text in the float column 'x'"),
        ('a.csv', 'nan', 'x:float', "text in the float column 'x'"),
        ('a.csv', '.5e1', 'x:float', 5.0),
        ('a.csv', '1e39', 'x:float', "a number that is out of range in the float column 'x'"),
        ('a.csv', ' Tea ', 'x:string', 'Tea'),
        ('a.csv', '5', 'x:string', '5'),
        ('a.csv', 'caf\udce9', 'x:string', "bytes that are not UTF-8 in the string column 'x'"),
        ('a.jsonl', 'null', 'x:int', None),
        ('a.jsonl', '""', 'x:float', None),
        ('a.jsonl', '"5"', 'x:int', 5),
        ('a.jsonl', '5', 'x:float', 5.0),
        ('a.jsonl', '5.0', 'x:int', "a decimal number in the int column 'x'"),
        ('a.jsonl', 'true', 'x:int', "true or false in the int column 'x'"),
        ('a.jsonl', 'true', 'x:string', 'true'),
        ('a.jsonl', '1e400', 'x:float', "a number that is out of range in the float column 'x'"),
        ('a.jsonl', 'NaN', 'x:float', "a number that is out of range in the float column 'x'"),
        ('a.jsonl', '[1]', 'x:int', "a list in the int column 'x'"),
        ('a.jsonl', '{"y": 1}', 'x:string', "an object in the string column 'x'"),
    ],
)
def test_row_is_rejected_when_a_value_does_not_have_the_type(
    name: str, value: str, feature: str, expected: Any
) -> None:
    assert read_cell(name, value, feature) == expected


@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        (['', ''], None),
        (['1', '', '-2'], 'int'),
        (['1', '2.5'], 'float'),
        (['1e3'], 'float'),
        (['1', 'x', '2'], 'string'),
        (['12345678901234567890'], 'string'),
        ([1, None], 'int'),
        ([1, 2.0], 'float'),
        (['1'], 'int'),
        ([{'x': '1'}], 'string'),
        ([{'x': 1}, {'x': None}, {}], 'int'),
        ([{'x': True}], 'string'),
        ([{'x': [1]}], 'string'),
    ],
)
def test_type_is_the_narrowest_that_has_all_values(values: list[Any], expected: str | None) -> None:
    rows = [value if isinstance(value, dict) else [value] for value in values]
    assert find_types(rows, ['x'])['x'] == expected


def test_widest_type_has_the_values_of_the_others() -> None:
    assert widest([None, 'float', 'int']) == 'float'
    assert widest([None]) is None


def test_json_file_may_lack_a_column_when_a_later_row_has_it() -> None:
    content = b'{"text": "Fine.", "label": 1}\n{"text": "Bad.", "label": 0, "stars": 2}\n'
    settings = ColumnSettings(features=('stars',))
    assert read_feature_types(io.BytesIO(content), 'a.jsonl', settings, 2) == {'stars': 'int'}
    with pytest.raises(DataError, match="no column 'stars' in a.jsonl; its columns are 'text'"):
        read_feature_types(io.BytesIO(content), 'a.jsonl', settings, 1)
    found = read('a.jsonl', content, 'stars:int')
    assert [record.features for record in found if isinstance(record, Record)] == [(None,), (2,)]


def test_table_is_refused_when_it_lacks_a_column() -> None:
    with pytest.raises(DataError, match=r"^no column 'star' in a\.csv; its columns are ") as caught:
        read('a.csv', b'text,label,stars\nFine.,1,5\n', 'star:int')
    assert caught.value.hint == "pass --set 'data.columns.features=[...]' with stars"
    assert read('a.csv', b'text,label,stars\nFine.,1,5\n', 'stars:int')[0].where == 'a.csv:2'


def test_largest_float_is_that_of_float32() -> None:
    largest = struct.unpack('<f', struct.pack('<I', 0x7F7FFFFF))[0]
    assert read_cell('a.csv', repr(largest), 'x:float') == largest
    assert 'out of range' in read_cell('a.csv', repr(math.nextafter(largest, math.inf)), 'x:float')
