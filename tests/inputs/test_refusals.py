"""Files that are not what their names promise: every command refuses them, as it does addresses."""

from __future__ import annotations

import io
import pathlib
import pickle
import sqlite3
import subprocess
import sys
import tarfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.common.errors import ConfigError, DataError
from components.common.settings import ColumnSettings
from components.example_gen.sources import discover
from pipeline.doctor import run as doctor
from pipeline.predict.rows import open_source
from pipeline.predict.scoring import _open
from tests.conftest import call_command
from tests.inputs.cases import Case, check_case

_TABLE = pa.table({'text': ['A fine film', 'A dull film'], 'label': ['pos', 'neg']})


def _parquet() -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(_TABLE, buffer)
    return buffer.getvalue()


def _arrow(new: object) -> bytes:
    buffer = io.BytesIO()
    with new(buffer, _TABLE.schema) as writer:  # type: ignore[operator]
        writer.write_table(_TABLE)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('a.txt'))
    return buffer.getvalue()


def _sqlite() -> bytes:
    connection = sqlite3.connect(':memory:')
    connection.execute('create table reviews (text)')
    try:
        return connection.serialize() if sys.version_info >= (3, 11) else b'SQLite format 3\0'
    finally:
        connection.close()


FILES = {
    'a Parquet file': _parquet(),
    'an Arrow file': _arrow(pa.ipc.new_file),
    'an Arrow stream': _arrow(pa.ipc.new_stream),
    'an old Excel or Word file': b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(504),
    'a zip or Excel file': b'PK\x03\x04' + bytes(30),
    'a bzip2 file': b'BZh91AY&SY' + bytes(30),
    'an xz file': b'\xfd7zXZ\0' + bytes(30),
    'a zstd file': b'\x28\xb5\x2f\xfd' + bytes(30),
    'an SQLite database': _sqlite(),
    'a PDF': b'%PDF-1.7\n%\xe2\xe3\n',
    'a tar archive': _tar(),
    'a web page': b'\n<!DOCTYPE html>\n<html lang="en"><head>\n',
    'an image': b'\x89PNG\r\n\x1a\n' + bytes(30),
    'a pickle': pickle.dumps(['A fine film', 'A dull film']),
}


@pytest.mark.parametrize('what', FILES)
@pytest.mark.parametrize('name', ['a.csv', 'a.tsv', 'a.jsonl', 'a.txt', 'standard input'])
def test_predict_names_the_kind_of_a_file_that_is_not_text(name: str, what: str) -> None:
    with pytest.raises(DataError, match=f'^{name} is {what}.*, expected UTF-8 text') as caught:
        list(open_source(io.BytesIO(FILES[what]), name, ColumnSettings()).rows)
    assert caught.value.hint


CASES = [
    Case(name=what, files={'a.csv': FILES[what]}, error=[f'a.csv is {what}'])
    for what in ('an old Excel or Word file', 'a web page')
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize('start', ['PAR1,PAR2', 'ORC,x', 'BZh and more', 'ARROW1,x', '[Fine] film'])
def test_words_are_text_when_a_format_begins_with_them(start: str) -> None:
    source = open_source(io.BytesIO(f'{start}\n'.encode()), 'a.txt', ColumnSettings())
    assert [row.text for row in source.rows] == [start]


@pytest.mark.parametrize('array', [b'[{"text": "A"}]', b'[\n  {\n    "text": "A"\n  }\n]\n'])
def test_json_array_is_refused_when_lines_are_expected(array: bytes) -> None:
    with pytest.raises(DataError, match='a.txt is a JSON array, expected a text in each line'):
        open_source(io.BytesIO(array), 'a.txt', ColumnSettings())


ADDRESSES = {
    'https://example.com/a.csv': 'download it first',
    'HTTP://example.com/a.csv': 'download it first',
    'hf://datasets/o/n/a.csv': 'hf download',
    'kaggle://o/n': 'kaggle datasets download',
    'git@example.com:o/n.git': 'clone it first',
    'file:///tmp/a.csv': 'without file://',
}


@pytest.mark.parametrize('address', ADDRESSES)
def test_address_is_refused_when_it_has_to_be_downloaded(address: str) -> None:
    with pytest.raises(ConfigError, match='^cannot read the address') as caught:
        discover(address, ColumnSettings())
    assert ADDRESSES[address] in caught.value.hint


@pytest.mark.parametrize('command', ['run', 'doctor'])
def test_command_refuses_an_address_before_anything_runs(
    command: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is installed is not of interest, and takes 5 s.
    monkeypatch.delitem(doctor.AREAS, 'installation')
    found = call_command(command, '--data', 'hf://datasets/o/n/a.csv', cwd=tmp_path)
    assert found.code == ConfigError.exit_code
    output = found.out + found.err
    assert 'cannot read the address hf://datasets/o/n/a.csv' in output
    assert 'hf download' in output
    assert not (tmp_path / 'runs' / 'serving').exists()


@pytest.mark.parametrize('address', [*ADDRESSES, 'gs://bucket/a.csv'])
def test_predict_refuses_addresses(address: str) -> None:
    with pytest.raises(ConfigError, match='cannot read the address|reads files of this machine'):
        _open(address)


@pytest.mark.parametrize(
    'command', [['--help'], ['config', 'show'], ['run', '--help'], ['models', '--json']]
)
def test_command_ends_quietly_when_the_reader_of_its_output_is_gone(
    command: list[str], tmp_path: pathlib.Path
) -> None:
    with subprocess.Popen(
        [sys.executable, pathlib.Path('pipeline_runner.py').resolve(), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b''
