"""Zip files with a table, and those that are something else."""

from __future__ import annotations

import io
import pathlib
import zipfile

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.readers import decompression, formats
from tests.inputs.cases import Case, check_case

_CSV = b'text,label\nA fine film,1\n"A ""dull"" film, really",0\n'
_ROWS = [('A fine film', '1'), ('A "dull" film, really', '0')]
_JSON = b'[{"text": "A fine film", "label": 1}]'


def _zip(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', method) as archive:
        for name, each in files:
            archive.writestr(name, each)
    return content.getvalue()


def _encrypted() -> bytes:
    content = bytearray(_zip(('a.csv', _CSV)))
    content[6] |= 1
    content[content.index(b'PK\x01\x02') + 8] |= 1
    return bytes(content)


_MAC = [('__MACOSX/._a.csv', b'\0\5\26\7'), ('data/._a.csv', b'\0'), ('data/.DS_Store', b'\0')]
CASES = [
    Case(name='one CSV file', files={'a.zip': _zip(('a.csv', _CSV))}, rows=_ROWS),
    Case(
        name='one CSV file, not compressed',
        files={'a.zip': _zip(('a.csv', _CSV), method=zipfile.ZIP_STORED)},
        rows=_ROWS,
    ),
    Case(
        name='one CSV file, with the hidden files of macOS',
        files={'A.ZIP': _zip(*_MAC, ('data/a.csv', _CSV), ('README.md', b'# A'))},
        rows=_ROWS,
    ),
    Case(name='one JSON file', files={'a.zip': _zip(('a.json', _JSON))}, rows=_ROWS[:1]),
    Case(
        name='two CSV files',
        files={'a.zip': _zip(('train.csv', _CSV), ('test.csv', _CSV))},
        error=['a.zip has 2 tables', "'train.csv', 'test.csv'", 'extract it'],
    ),
    Case(
        name='one .txt file',
        files={'a.zip': _zip(('a.txt', b'fine'))},
        error=["a.zip has no text table, expected one .csv, .tsv, .jsonl or .json: 'a.txt'"],
    ),
    Case(
        name='one Parquet file',
        files={'a.zip': _zip(('a.parquet', b'PAR1'))},
        error=['a.zip has no text table', 'extract it'],
    ),
    Case(name='no file', files={'a.zip': _zip()}, error=['a.zip has no text table', 'it is empty']),
    Case(
        name='an Excel file, named .zip',
        files={'a.zip': _zip(('[Content_Types].xml', b''), ('xl/workbook.xml', b''))},
        error=['a.zip is an Excel file', 'CSV'],
    ),
    Case(
        name='one CSV file, with a password',
        files={'a.zip': _encrypted()},
        error=['a.zip is encrypted', 'extract'],
    ),
    Case(
        name='one CSV file, cut off',
        files={'a.zip': _zip(('a.csv', _CSV))[:-30]},
        error=['a.zip cannot be read to its end'],
    ),
    Case(
        name='an Excel file, named .xlsx',
        files={'a.xlsx': _zip(('xl/workbook.xml', b''))},
        error=["cannot tell the format of 'a.xlsx'", 'save the table as CSV in UTF-8'],
        scored=False,
    ),
    Case(
        name='a bzip2 file',
        files={'a.csv.bz2': b'BZh91AY&SY'},
        error=["cannot tell the format of 'a.csv.bz2'", 'decompress it first'],
        scored=False,
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


def test_file_is_refused_when_a_checksum_is_wrong() -> None:
    content = _zip(('a.csv', _CSV), method=zipfile.ZIP_STORED).replace(b'fine', b'five')
    table = formats.read_records(io.BytesIO(content), 'a.zip', ColumnSettings(), None)
    with pytest.raises(DataError, match='cannot be read to its end: Bad CRC-32'):
        list(table)


def test_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, '_FREE_BYTES', 1 << 20)
    content = _zip(('a.csv', b'text,label\n' + b'a,1\n' * 1_000_000))
    with pytest.raises(DataError, match='decompresses to more than 200 times its size'):
        list(formats.read_records(io.BytesIO(content), 'a.zip', ColumnSettings(), None))


def test_damaged_files_are_read_or_refused() -> None:
    content = _zip(('a.csv', _CSV))
    refused = 0
    for at in range(len(content)):
        for bit in (0, 3, 7):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            file = io.BytesIO(bytes(damaged))
            try:
                list(formats.read_records(file, 'a.zip', ColumnSettings(), None))
            except DataError:
                refused += 1
    assert refused > len(content)
