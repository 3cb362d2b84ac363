"""Rows of one film, author or product, which share a split if a column names it."""

from __future__ import annotations

import io
import json
import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import ConfigError
from components.common.settings import ColumnSettings
from components.readers import formats
from components.readers.records import Record, Reject, assign_split
from tests.components.example_gen.samples import encode_archive, encode_table
from tests.components.readers import test_tf_records as tf_records
from tests.inputs.cases import Case, check_case, find_data

_Rows = Sequence[dict[str, Any]]


def _json(rows: _Rows) -> bytes:
    return json.dumps(list(rows)).encode()


def _zip(rows: _Rows) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('a.csv', encode_table('a.csv', rows))
    return file.getvalue()


def _parquet(rows: _Rows) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([*rows]), file)
    return file.getvalue()


def _arrow(rows: _Rows) -> bytes:
    file = io.BytesIO()
    table = pa.Table.from_pylist([*rows])
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _tfrecord(rows: _Rows) -> bytes:
    values = [
        {
            name: [value.encode() if isinstance(value, str) else value]
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]
    with tempfile.TemporaryDirectory() as folder:
        return tf_records.write(
            pathlib.Path(folder, 'a.tfrecord'), *(tf_records.make(**each) for each in values)
        )


_ENCODE: dict[str, Callable[[_Rows], bytes]] = {
    'a.csv': lambda rows: encode_table('a.csv', rows),
    'a.tsv.gz': lambda rows: encode_table('a.tsv.gz', rows),
    'a.jsonl': lambda rows: encode_table('a.jsonl', rows),
    'a.json': _json,
    'a.zip': _zip,
    'a.parquet': _parquet,
    'a.arrow': _arrow,
    'a.tfrecord': _tfrecord,
}
_FILM = {'group_column': 'film'}
_LINES = b'text,label,film\nFine.,pos,Heat\nDull.,neg,Heat\n'
_ROWS = [('Fine.', 'pos'), ('Dull.', 'neg')]
CASES = [
    Case(name='a column of groups', files={'a.csv': _LINES}, columns=_FILM, rows=_ROWS),
    Case(
        name='a column of groups, by number',
        files={'a.csv': _LINES[_LINES.index(b'\n') + 1 :]},
        columns={'header': False, 'text_column': '1', 'label_column': '2', 'group_column': '3'},
        rows=_ROWS,
    ),
    Case(
        name='a field of groups',
        files={
            'a.jsonl': b'{"text": "Fine.", "label": "pos", "meta": {"film": "Heat"}}\n'
            b'{"text": "Dull.", "label": "neg"}\n'
        },
        columns={'group_column': 'meta.film'},
        rows=_ROWS,
    ),
    Case(
        name='a column of groups that is a feature, too',
        files={'a.csv': _LINES},
        columns={**_FILM, 'features': ['film:string']},
        rows=_ROWS,
    ),
    Case(
        name='texts without a label need no group',
        files={'unsup.csv': b'text\nWho knows.\n', 'train.csv': _LINES, 'test.csv': _LINES},
        data='.',
        columns=_FILM,
        rows=[*_ROWS, *_ROWS, ('Who knows.', None)],
        scored=False,
    ),
    Case(
        name='a list as the group of a later row',
        files={
            'a.jsonl': b'{"text": "Fine.", "label": 1, "film": 7}\n'
            b'{"text": "Dull.", "label": 0, "film": [7]}\n'
        },
        columns={**_FILM, 'max_rejected_percent': 50},
        rows=[('Fine.', '1')],
        rejected=["a list in the column 'film'"],
    ),
    Case(
        name='a group that is not UTF-8',
        files={'a.csv': _LINES + b'Caf\xc3\xa9,pos,Caf\xe9\n'},
        columns={**_FILM, 'max_rejected_percent': 50},
        rows=_ROWS,
        rejected=['not UTF-8'],
    ),
    *(
        Case(
            name=f'no such column in {name}',
            files={name: encode([{'text': 'Fine.', 'label': 'pos', 'films': 'Heat'}])},
            columns=_FILM,
            error=[f"no column 'film' in {name}; its columns are", 'pass --group-column films'],
            scored=False,
        )
        for name, encode in _ENCODE.items()
        if name != 'a.zip'
    ),
    Case(
        name='IMDB, which has no column of groups',
        files={'aclImdb.tar.gz': encode_archive([('aclImdb/train/pos/0_9.txt', b'Fine.')])},
        columns=_FILM,
        error=['data.columns.group_column expects a table', 'leave out the setting'],
        exit_code=ConfigError.exit_code,
        scored=False,
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


def _read(name: str, rows: _Rows) -> list[Record | Reject]:
    columns = ColumnSettings(group_column='film')
    return list(
        formats.read_records(io.BytesIO(_ENCODE[name](rows)), name, columns, None),
    )


_NUMBERS = st.integers(0, 30)
_NAMES = st.text('aBß é7.-', max_size=5)


@pytest.mark.parametrize('name', _ENCODE)
@settings(max_examples=25, deadline=None)
@given(films=st.lists(st.none() | _NUMBERS, min_size=1) | st.lists(_NAMES, min_size=1))
def test_rows_of_a_group_share_a_split(name: str, films: list[Any]) -> None:
    rows = [
        # The first row of a TFRecord file has all features.
        {'text': f'text {number}', 'label': 1, 'film': film}
        for number, film in enumerate([*films[:1], *films])
    ]
    rows[0]['film'] = 'a' if isinstance(films[0], str) else 1
    splits: dict[Any, set[str]] = {}
    for row, record in zip(rows, _read(name, rows), strict=True):
        assert isinstance(record, Record)
        film = row['film']
        has_group = film is not None and str(film).strip()
        assert bool(record.group) == bool(has_group)
        key = str(film).strip().casefold() if has_group else record.text
        splits.setdefault(key, set()).add(
            assign_split(
                record.text,
                None,
                test_percent=50,
                val_percent=50,
                split_train=False,
                group=record.group,
            )
        )
    assert {len(found) for found in splits.values()} == {1}


def test_groups_are_equal_when_their_spellings_differ() -> None:
    spellings: dict[str, list[Any]] = {
        'a.csv': ['7', '7.0', ' 7 ', '07'],
        'a.jsonl': [7, 7.0, '7', ' 7.0'],
        'a.parquet': [7, 7],
        'a.arrow': [7.0, 7.0],
        'a.tfrecord': [7, 7.0, '7'],
    }
    for name, films in spellings.items():
        rows = [{'text': 'Fine.', 'label': 1, 'film': film} for film in films]
        records = _read(name, rows)
        assert {record.group for record in records if isinstance(record, Record)} == {'7'}
        assert len(records) == len(films)


def test_doctor_counts_the_groups(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.csv').write_bytes(_LINES + b'So-so.,neg,\nFine again.,pos,Alien\n')
    findings = find_data(tmp_path, tmp_path / 'a.csv', **_FILM)
    (message,) = [each.message for each in findings if each.subject == 'groups']
    assert message == "2 values of 'film' in these rows; 1 row without one"
