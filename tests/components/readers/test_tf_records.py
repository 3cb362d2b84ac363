"""TFRecord files are read as TensorFlow writes them, and damaged ones are refused."""

from __future__ import annotations

import gzip
import io
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.sources import discover, list_files
from components.readers import formats
from components.readers.records import Record, Reject
from components.readers.tf_records import parse_example
from pipeline.predict.model import Score
from pipeline.predict.rows import open_source
from pipeline.predict.writing import Columns, RowWriter
from tests import hostile
from tests.components.trainer.tiny import make_example

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def write(path: pathlib.Path, *records: bytes) -> bytes:
    """Write a TFRecord file with TensorFlow, and return its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    compression = 'GZIP' if path.name.endswith('.gz') else ''
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return path.read_bytes()


def make(**values: list[Any]) -> bytes:
    example = tf.train.Example()
    for name, of_feature in values.items():
        feature = example.features.feature[name]
        kind = type(of_feature[0]) if of_feature else bytes
        lists = {
            bytes: feature.bytes_list,
            float: feature.float_list,
            int: feature.int64_list,
        }
        lists[kind].value.extend(of_feature)
    return bytes(example.SerializeToString())


def read(content: bytes, name: str = 'a.tfrecord', **columns: Any) -> list[Record | Reject]:
    return list(formats.read_records(io.BytesIO(content), name, ColumnSettings(**columns), None))


@pytest.mark.parametrize('name', ['a.tfrecord', 'a.tfrecords.gz', 'b_tfrecord-00000-of-00001.gz'])
def test_examples_are_read_as_tensorflow_writes_them(name: str, tmp_path: pathlib.Path) -> None:
    content = write(
        tmp_path / name,
        make(text=['Fine, très bien.'.encode()], label=[1], stars=[4.5], tags=[b'a', b'b']),
        make(text=[b'Dull.'], label=[b'neg']),
        make(text=[b'Caf\xe9.'], label=[0]),
        make(text=[], label=[0]),
        b'no message',
    )
    found = read(content, name, features=('stars:float',))
    assert found == [
        Record('Fine, très bien.', '1', None, f'{name}:1', (4.5,)),
        Record('Dull.', 'neg', None, f'{name}:2', (None,)),
        Reject('not UTF-8', f'{name}:3'),
        Reject('empty text', f'{name}:4'),
        Reject('not a tf.train.Example', f'{name}:5'),
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=['Cs'])),
        st.lists(st.binary(), min_size=1)
        | st.lists(INT64, min_size=1)
        | st.lists(st.floats(width=32, allow_nan=False), min_size=1),
    )
)
def test_values_are_those_of_the_example_when_they_are_arbitrary(values: dict[str, Any]) -> None:
    expected = {
        name: [v.decode('utf-8', 'surrogateescape') if isinstance(v, bytes) else v for v in found]
        for name, found in values.items()
    }
    found = parse_example(make(**values))
    assert found == {n: v if len(v) > 1 else v[0] for n, v in expected.items()}


@settings(max_examples=100, deadline=None)
@given(st.binary() | st.binary().map(lambda end: make(text=[b'Fine.'], label=[1])[:-1] + end))
def test_any_bytes_are_an_example_or_refused(content: bytes) -> None:
    hostile.check_example(content)
    hostile.check_tf_records(content)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    'no end': lambda content: content[:-1],
    'checksum of record': lambda content: content[:20] + b'~' + content[21:],
    'checksum of length': lambda content: b'~' + content[1:],
    'text': lambda content: b'text,label\nFine.,pos\n',
}


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['a.tfrecord', 'a.tfrecord.gz'])
def test_file_is_refused_when_it_is_damaged(damage: str, name: str, tmp_path: pathlib.Path) -> None:
    content = DAMAGES[damage](write(tmp_path / 'a.tfrecord', *[make_example('Fine.', 1)] * 2))
    with pytest.raises(DataError, match=f'^{name} cannot be read to its end: '):
        read(gzip.compress(content) if name.endswith('.gz') else content, name)


@pytest.mark.usefixtures('short_rows')
def test_record_is_rejected_when_it_is_too_long(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('components.readers.tf_records.MAX_ROW_CHARACTERS', 70)
    examples = [make(text=[text], label=[1]) for text in (b'x' * 99, b'Fine.')]
    found = read(write(tmp_path / 'a.tfrecord', *examples))
    assert found == [Reject('too long', 'a.tfrecord:1'), Record('Fine.', '1', None, 'a.tfrecord:2')]


@pytest.mark.parametrize(
    ('names', 'splits'),
    [
        (('train-00000-of-00002.tfrecord', 'test.tfrecord'), {'train', 'test'}),
        (
            ('Split-train/data_tfrecord-00000-of-00001.gz', 'Split-eval/a_tfrecord.gz'),
            {'train', 'test'},
        ),
        (
            ('Split-train/a.tfrecord', 'Split-val/a.tfrecord', 'Split-test/a.tfrecord'),
            {'train', 'val', 'test'},
        ),
        (('a.tfrecord', 'b.tfrecord'), {None}),
    ],
    ids=['files', 'tfx', 'folders', 'no_splits'],
)
def test_splits_are_those_of_files_or_folders(
    names: tuple[str, ...], splits: set[str | None], tmp_path: pathlib.Path
) -> None:
    for name in names:
        write(tmp_path / name, make_example('Fine.', 1))
    found = list_files(discover(str(tmp_path), ColumnSettings()))
    assert {split for split, _ in found} == splits
    assert len(found) == len(names)


def test_predict_scores_examples_into_json_lines(tmp_path: pathlib.Path) -> None:
    content = write(tmp_path / 'a.tfrecord', make(text=[b'Fine.'], id=[7]))
    source = open_source(io.BytesIO(content), 'a.tfrecord', ColumnSettings())
    (row,) = source.rows
    assert row.text == 'Fine.'
    writer = RowWriter(source, 'jsonl', Columns('verdict', 'score'), ('neg', 'pos'))
    line = writer.row(row.row, Score('pos', '0.75'))
    assert line == '{"id": 7, "text": "Fine.", "verdict": "pos", "score": 0.75}\n'
