"""Parquet and Arrow files as pandas, hubs and the `datasets` library write them."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import pathlib
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import formats
from components.readers.records import NOT_UTF8, Record, Reject
from components.readers.tables import Row
from tests.inputs.cases import Case, check_case

_ROWS = [('A fine film', '1'), ('A "dull" film, really', '0')]
_TEXTS = [text for text, _ in _ROWS]
_INFO = {'info': {'features': {'label': {'names': ['neg', 'pos'], '_type': 'ClassLabel'}}}}


def _parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def _arrow_file(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _arrow_stream(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _table(labels: Any = (1, 0), **columns: Any) -> pa.Table:
    return pa.table({'text': _TEXTS, 'label': labels, **columns})


def _class_labels(labels: Any = (1, 0)) -> pa.Table:
    return _table(labels).replace_schema_metadata({'huggingface': json.dumps(_INFO)})


def _pandas(write: Callable[[pd.DataFrame, io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    write(pd.DataFrame({'text': _TEXTS, 'label': [True, False]}), file)
    return file.getvalue()


_NAMED = [('A fine film', 'pos'), ('A "dull" film, really', 'neg')]
_HUB = {'train': _parquet(_class_labels()), 'test': _parquet(_class_labels())}
_UNSUPERVISED = _parquet(_class_labels((-1, -1)))
CASES = [
    Case(name='labels as integers', files={'a.parquet': _parquet(_table())}, rows=_ROWS),
    Case(name='labels as texts', files={'a.pq': _parquet(_table(('1', '0')))}, rows=_ROWS),
    Case(
        name='labels as floats, two row groups',
        files={'a.parquet': _parquet(_table((1.0, 0.0)), row_group_size=1)},
        rows=_ROWS,
    ),
    Case(
        name='labels as decimals',
        files={'a.parquet': _parquet(_table([decimal.Decimal('1.00'), decimal.Decimal('0.00')]))},
        rows=_ROWS,
    ),
    Case(
        name='labels as categories',
        files={'a.parquet': _parquet(_table(pa.array(['1', '0']).dictionary_encode()))},
        rows=_ROWS,
    ),
    Case(
        name='labels as numbers with the names of classes',
        files={'a.parquet': _parquet(_class_labels())},
        rows=_NAMED,
    ),
    Case(
        name='a class that is hidden, -1',
        files={'a.parquet': _parquet(_class_labels((1, -1)))},
        columns={'max_rejected_percent': 100},
        rows=_NAMED[:1],
        rejected=['no label'],
    ),
    Case(
        name='Parquet of pandas, labels as booleans',
        files={'a.parquet': _pandas(lambda frame, file: frame.to_parquet(file))},
        rows=[(_TEXTS[0], 'true'), (_TEXTS[1], 'false')],
    ),
    Case(
        name='Feather of pandas, labels as booleans',
        files={'a.feather': _pandas(lambda frame, file: frame.to_feather(file))},
        rows=[(_TEXTS[0], 'true'), (_TEXTS[1], 'false')],
    ),
    Case(name='Arrow file', files={'a.arrow': _arrow_file(_class_labels())}, rows=_NAMED),
    Case(name='Arrow stream', files={'a.arrow': _arrow_stream(_class_labels())}, rows=_NAMED),
    Case(
        name='text in a field of a struct',
        files={'a.parquet': _parquet(pa.table({'body': [{'t': t} for t in _TEXTS], 'y': [1, 0]}))},
        columns={'text_column': 'body.t', 'label_column': 'y'},
        rows=_ROWS,
    ),
    Case(
        name='files of a hub, in parts',
        files={
            'data/train-00000-of-00002.parquet': _HUB['train'],
            'data/train-00001-of-00002.parquet': _HUB['train'],
            'data/test-00000-of-00001.parquet': _HUB['test'],
            'data/unsupervised-00000-of-00001.parquet': _UNSUPERVISED,
            'README.md': b'# A data set\n',
        },
        data='.',
        rows=[*_NAMED, *_NAMED, *_NAMED, *((text, None) for text in _TEXTS)],
        scored=False,
    ),
    Case(
        name='files that a hub converted',
        files={
            'plain_text/train/0000.parquet': _HUB['train'],
            'plain_text/partial-test/0000.parquet': _HUB['test'],
        },
        data='.',
        rows=[*_NAMED, *_NAMED],
        scored=False,
    ),
    Case(
        name='files of save_to_disk',
        files={
            'train/data-00000-of-00001.arrow': _arrow_stream(_class_labels()),
            'test/data-00000-of-00001.arrow': _arrow_stream(_class_labels()),
            'train/dataset_info.json': b'{}',
            'train/state.json': b'{}',
            'dataset_dict.json': b'{"splits": ["train", "test"]}',
        },
        data='.',
        rows=[*_NAMED, *_NAMED],
        scored=False,
    ),
    Case(
        name='no such column',
        files={'a.parquet': _parquet(_table().rename_columns(['review', 'label']))},
        error=["no column 'text' in a.parquet; its columns are 'review', 'label'"],
    ),
    Case(
        name='Parquet, cut off',
        files={'a.parquet': _parquet(_table())[:-100]},
        error=['a.parquet cannot be read to its end'],
    ),
    Case(
        name='CSV in a file named .parquet',
        files={'a.parquet': b'text,label\nfine,1\n'},
        error=['a.parquet cannot be read to its end', 'extension fits its format'],
    ),
    Case(
        name='Arrow, cut off',
        files={'a.arrow': _arrow_file(_table())[:-100]},
        error=['a.arrow cannot be read to its end'],
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


_WRITERS = {'a.parquet': _parquet, 'a.arrow': _arrow_file, 'b.arrow': _arrow_stream}


def _read(name: str, content: bytes, columns: ColumnSettings | None = None) -> list[Any]:
    return [*formats.read_records(io.BytesIO(content), name, columns or ColumnSettings(), None)]


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.text(), st.none() | st.integers(-9, 9)), max_size=8),
    name=st.sampled_from([*_WRITERS]),
    large=st.booleans(),
)
def test_reads_back_each_row_that_was_written(
    rows: list[tuple[str, int | None]], name: str, large: bool
) -> None:
    texts = pa.array([text for text, _ in rows], pa.large_string() if large else pa.string())
    labels = pa.array([label for _, label in rows], pa.int8())
    content = _WRITERS[name](pa.table({'text': texts, 'label': labels}))
    table = formats.open_table(io.BytesIO(content), name, ColumnSettings())
    found = [row.cells for row in table.rows if isinstance(row, Row)]
    assert found == [{'text': text, 'label': label} for text, label in rows]
    kept = [(each.text, each.label) for each in _read(name, content) if isinstance(each, Record)]
    assert kept == [(t, str(label)) for t, label in rows if t.strip() and label is not None]


@pytest.mark.parametrize('name', _WRITERS)
def test_rows_have_numbers_when_there_are_many_batches(name: str) -> None:
    table = pa.table({'text': ['fine'] * 2_500, 'label': [1] * 2_500, 'unused': ['x'] * 2_500})
    options = {'row_group_size': 700} if name == 'a.parquet' else {}
    places = [each.where for each in _read(name, _WRITERS[name](table, **options))]
    assert places == [f'{name}:{number}' for number in range(1, 2_501)]


@pytest.mark.parametrize('name', _WRITERS)
def test_rejects_only_the_row_whose_text_is_not_utf8(name: str) -> None:
    binary = pa.array([b'fine', b'caf\xe9'])
    for texts in (binary, binary.view(pa.string())):
        first, second = _read(name, _WRITERS[name](pa.table({'text': texts, 'label': [1, 0]})))
        assert isinstance(first, Record)
        assert isinstance(second, Reject)
        assert second.reason == NOT_UTF8


def test_values_are_those_of_json_when_they_have_other_types() -> None:
    day = datetime.date(2024, 2, 29)
    table = _table(
        day=[day, None],
        number=[float('nan'), 0.5],
        price=[decimal.Decimal('2.50'), decimal.Decimal('3.00')],
        tags=[[1, 2], None],
        code=[b'caf\xe9', None],
    )
    rows = formats.open_table(io.BytesIO(_parquet(table)), 'a.parquet', ColumnSettings()).rows
    first, second = (row.cells for row in rows if isinstance(row, Row))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert [*first.values()][2:] == ['2024-02-29', None, 2.5, [1, 2], 'caf\udce9']
    assert [*second.values()][2:] == [None, 0.5, 3, None, None]


@pytest.mark.parametrize('name', _WRITERS)
def test_refuses_in_one_line_when_a_file_is_damaged(name: str) -> None:
    table = pa.table({'text': [f'number {i}' for i in range(50)], 'label': [0, 1] * 25})
    content = _WRITERS[name](table)
    chance = random.Random(21)
    messages = []
    for _ in range(200):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        try:
            _read(name, bytes(damaged[: chance.randrange(len(content) // 2, 2 * len(content))]))
        except DataError as err:
            messages.append(str(err))
    assert len(messages) > 30
    assert all(message.isprintable() and len(message) < 400 for message in messages)


def test_readers_import_pyarrow_only_when_they_need_it() -> None:
    code = 'import sys, components.readers.formats; sys.exit("pyarrow" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
