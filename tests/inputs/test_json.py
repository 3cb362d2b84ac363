"""JSON files: arrays, wrapped arrays, lines, and what is none of them."""

from __future__ import annotations

import io
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import formats, json_documents
from components.readers.tables import Row
from tests.inputs.cases import Case, check_case

_OBJECTS = [{'text': 'A fine film', 'label': 1}, {'text': 'A "dull" ]film}', 'label': 0}]
_ROWS = [(each['text'], str(each['label'])) for each in _OBJECTS]
_LINES = ''.join(f'{json.dumps(each)}\n' for each in _OBJECTS).encode()


def _dump(value: Any, **options: Any) -> bytes:
    return json.dumps(value, **options).encode()


_READ = {
    'array': _dump(_OBJECTS),
    'array, pretty': b'\n' + _dump(_OBJECTS, indent=2) + b'\n',
    'array, a row in each line': b'[\n' + b',\n'.join(map(_dump, _OBJECTS)) + b'\n]',
    'an object in each line': _LINES,
    'an object in each line after a blank one': b'\n' + _LINES,
    'an object with a list in each line': b''.join(
        _dump({**each, 'tags': [{}]}) + b'\n' for each in _OBJECTS
    ),
    'array after a byte order mark': b'\xef\xbb\xbf' + _dump(_OBJECTS),
    'object with one array': _dump({'data': _OBJECTS}),
    'object with one array of objects, pretty': _dump(
        {'version': 1, 'tags': ['a'], 'rows': _OBJECTS, 'n': {}}, indent=1
    ),
}
_REFUSED = {
    'columns in place of rows': (
        _dump({'text': {'0': 'a'}, 'label': {'0': 1}}),
        ["'text', 'label'", 'records'],
    ),
    'columns in place of rows, pretty': (
        _dump({'text': ['a'], 'label': [1]}, indent=2),
        ["'text', 'label'"],
    ),
    'two arrays': (_dump({'train': _OBJECTS, 'test': _OBJECTS}), ["'train', 'test'"]),
    'array, cut off in a row': (_dump(_OBJECTS)[:-9], ['not JSON, or cut off, in element 2']),
    'array, cut off after a row': (_dump(_OBJECTS)[:-1], ['expected , or ] after element 2']),
    'one pretty object after the other': (
        _dump(_OBJECTS[0], indent=1) * 2,
        ['more than one JSON value'],
    ),
    'nested too deep': (b'[' + b'{"a":' * 100_000, ['a.json cannot be read to its end']),
    'array of no rows': (b'[]', ["no column 'text' in a.json"]),
    'array of texts': (b'["a", "b"]', ['a.json:1: the first row is not a JSON object']),
}
CASES = [
    *(Case(name=name, files={'a.json': each}, rows=_ROWS) for name, each in _READ.items()),
    *(
        Case(
            name=name,
            files={'a.json': content},
            error=['a.json', *error],
            # `predict` does not need a row, and names the row that is no object otherwise.
            scored=name not in ('array of no rows', 'array of texts'),
        )
        for name, (content, error) in _REFUSED.items()
    ),
    Case(
        name='array of objects and a number',
        files={'a.json': _dump([_OBJECTS[0], 7, _OBJECTS[1]])},
        columns={'max_rejected_percent': 100},
        rows=_ROWS,
        rejected=['not a JSON object'],
    ),
    Case(
        name='folder',
        files={'train.json': _dump(_OBJECTS), 'test.json': _LINES},
        data='.',
        rows=[*_ROWS, *_ROWS],
        scored=False,
    ),
    Case(
        name='description of another table',
        files={'a.csv': b'text,label\nA fine film,1\n', 'metadata.json': b'{}', 'a.zip': b'PK'},
        data='.',
        rows=_ROWS[:1],
        scored=False,
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100)
@given(
    rows=st.lists(st.dictionaries(st.text(), _VALUES, max_size=4), max_size=6),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
    chunk=st.integers(1, 20),
)
def test_reads_back_each_row_when_chunks_end_anywhere(
    rows: list[dict[str, Any]], indent: int | None, ascii_only: bool, chunk: int
) -> None:
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_documents, '_CHUNK_CHARACTERS', chunk)
        table = formats.open_table(io.BytesIO(content), 'a.json', ColumnSettings())
        assert [row.cells for row in table.rows if isinstance(row, Row)] == rows


def test_file_is_refused_when_a_row_is_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_documents, 'MAX_ROW_CHARACTERS', 50)
    monkeypatch.setattr(json_documents, '_CHUNK_CHARACTERS', 10)
    content = _dump([{'text': 'a' * 1_000}], indent=0)
    with pytest.raises(DataError, match='longer than 50 characters, or not JSON, in element 1'):
        formats.open_table(io.BytesIO(content), 'a.json', ColumnSettings())
