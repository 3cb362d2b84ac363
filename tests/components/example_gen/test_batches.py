from __future__ import annotations

import io
import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.batches import Batch, ByteRange, SourceKind, make_batches, open_part
from components.example_gen.source_files import read_files
from components.readers.records import Record, Reject


def list_batches(
    *files: tuple[str, int], batch_bytes: int = 100, kind: SourceKind = SourceKind.TABLES
) -> list[Batch]:
    batches = list(make_batches(kind, 'test', files, batch_bytes))
    assert all(batch.split == 'test' for batch in batches)
    return batches


@pytest.mark.parametrize('name', ['a.csv', 'a.tsv', 'a.jsonl.gz', 'a.csv.gz'])
def test_file_is_one_batch_when_it_cannot_be_divided(name: str) -> None:
    assert list_batches((name, 1_000)) == [Batch('test', [name])]


@pytest.mark.parametrize('name', ['a.jsonl', 'B.NDJSON'])
def test_file_is_divided_into_parts_when_lines_are_independent(name: str) -> None:
    assert list_batches((name, 250)) == [
        Batch('test', [name], ByteRange(0, 100, 250)),
        Batch('test', [name], ByteRange(100, 200, 250)),
        Batch('test', [name], ByteRange(200, 250, 250)),
    ]
    assert list_batches((name, 100)) == [Batch('test', [name])]


def test_files_are_read_together_when_they_are_small() -> None:
    files = [('a.csv', 40), ('b.csv', 60), ('c.csv', 1), ('d.csv', 500), ('e.csv', 1)]
    paths = [batch.paths for batch in list_batches(*files)]
    assert paths == [['a.csv', 'b.csv'], ['c.csv'], ['d.csv'], ['e.csv']]


def test_files_keep_their_order_when_one_of_them_is_divided() -> None:
    batches = list_batches(('a.csv', 10), ('b.jsonl', 110), ('c.csv', 10))
    places = [('a.csv', 0), ('b.jsonl', 0), ('b.jsonl', 100), ('c.csv', 0)]
    assert [batch.sort_key for batch in batches] == sorted(places)


@pytest.mark.parametrize('kind', [SourceKind.IMDB_FOLDER, SourceKind.TABLES])
def test_batch_has_at_most_500_files_when_they_are_small(kind: SourceKind) -> None:
    files = [(f'{number}.csv', 0) for number in range(1_200)]
    sizes = [len(batch.paths) for batch in list_batches(*files, kind=kind)]
    assert sizes == [500, 500, 200]


@given(
    st.lists(st.sampled_from([b'', b'a', b'bcd\r', b'\r\r', b'x' * 50]), max_size=30),
    st.booleans(),
    st.integers(1, 60),
)
def test_each_line_is_in_one_part_when_a_file_is_divided(
    lines: list[bytes], ends: bool, batch_bytes: int
) -> None:
    content = b'\n'.join(lines) + (b'\n' if ends else b'')
    read = []
    for batch in list_batches(('a.jsonl', len(content)), batch_bytes=batch_bytes):
        part = batch.part or ByteRange(0, len(content), len(content))
        stream, start = open_part(io.BytesIO(content), part)
        read.append(stream.read())
        # Whole lines, and those that begin in the range.
        if read[-1]:
            assert start == 0 or content[start - 1 : start] == b'\n'
            assert part.start <= start < part.end
    assert b''.join(read) == content


def write_lines(path: pathlib.Path, rows: int) -> list[str]:
    texts = [f'Nummer {n:03} \u2028 größer\\n' * (1 + n % 3) for n in range(rows)]
    lines = [json.dumps({'text': text, 'label': 'pos'}, ensure_ascii=False) for text in texts]
    lines[40] = 'no JSON'
    path.write_text('\n'.join(lines), encoding='utf-8-sig')
    return texts[:40] + texts[41:]


@pytest.mark.parametrize('batch_bytes', [1, 50, 333, 100_000])
def test_rows_are_those_of_the_whole_file_when_it_is_read_in_parts(
    batch_bytes: int, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'big.jsonl'
    texts = write_lines(path, 100)
    records = [
        record
        for batch in list_batches((str(path), path.stat().st_size), batch_bytes=batch_bytes)
        for record in read_files(SourceKind.TABLES, batch.paths, ColumnSettings(), None, batch.part)
    ]
    assert [record.text for record in records if isinstance(record, Record)] == texts
    (reject,) = (record for record in records if isinstance(record, Reject))
    # The message locates the row.
    place, _, line = reject.where.rpartition(':')
    _, _, start = place.partition(', byte ')
    content = path.read_bytes()[int(start or 0) :]
    assert content.split(b'\n')[int(line) - 1] == b'no JSON'
    assert place.startswith('big.jsonl')


def test_reading_fails_when_the_file_changed_after_it_was_divided(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'big.jsonl'
    write_lines(path, 50)
    size = path.stat().st_size
    for part in (ByteRange(0, 100, size), ByteRange(100, size, size)):
        assert list(read_files(SourceKind.TABLES, [str(path)], ColumnSettings(), None, part))
    path.write_bytes(path.read_bytes() + b'\n')
    with pytest.raises(DataError, match='big.jsonl changed while it was read'):
        list(read_files(SourceKind.TABLES, [str(path)], ColumnSettings(), None, part))
