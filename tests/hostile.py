"""Checks that readers read any bytes correctly, or refuse them with an error of one line.

Each check takes bytes. It raises AssertionError, or an error that a reader must
not raise. Hypothesis runs them in `make test`, a coverage-guided fuzzer in
`make torture`. The references are Python's csv, json, gzip, bz2, lzma
and tarfile.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import io
import itertools
import json
import lzma
import pathlib
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from components.common.errors import ConfigError, DataError, ReviewsError
from components.common.settings import ColumnSettings
from components.example_gen import spans
from components.readers import archive, formats, imdb, records, tf_records
from components.readers.dialect import Dialect
from components.readers.labels import LabelRule
from components.readers.records import Record, Reject
from pipeline.predict.model import Score
from pipeline.predict.rows import Source, TextRow, open_source
from pipeline.predict.writing import Columns, RowWriter
from pipeline.settings.config import PipelineConfig, load_config
from tests.components.readers.test_archive import read_with_tarfile

_T = TypeVar('_T')

_REASONS = re.compile(
    '|'.join(
        [
            r'not \d+ fields',
            r"(an object|a list) in the column '.+'",
            records.EMPTY_TEXT,
            records.NOT_UTF8,
            records.NO_LABEL,
            records.NOT_JSON,
            records.NOT_AN_OBJECT,
            records.NOT_AN_EXAMPLE,
            records.TOO_LONG,
        ]
    )
)
_NOT_TEXT = 'expected UTF-8 text'
_REVIEW = re.compile(r'(?s:.*/)?(train/(pos|neg|unsup)|test/(pos|neg))/[^/]+\.txt')
_SEP_LINE = re.compile(r'(?i)"?sep=[^"\r\n]"?[\r\n]*')
# RFC 1952 requires these checks; Python's gzip omits them.
_STRICTER_GZIP = re.compile('unknown header flags set|header crc mismatch')
_SCORE = Score('pos', '0.75')


def outcome(read: Callable[[], _T]) -> tuple[_T | None, str]:
    """Return the result, or the printable one-line message of the error."""
    try:
        return read(), ''
    except ReviewsError as err:
        refused: ReviewsError = err
    assert isinstance(refused, DataError | ConfigError), repr(refused)
    message = str(refused)
    assert message, 'an empty message'
    assert message.isprintable(), repr(message)
    assert refused.hint.isprintable(), repr(refused.hint)
    assert len(message) < 2_100, len(message)
    assert 'Traceback' not in message
    return None, message


def check_table(name: str, content: bytes) -> None:
    """Check that ExampleGen reads each row of a table once, as csv and json do."""
    if not formats.has_parts(name):
        check_found_dialect(name, content)
    columns = ColumnSettings(quoting='minimal', delimiter='\t' if 'tsv' in name else ',')
    read = formats.read_records
    found, refused = outcome(lambda: list(read(io.BytesIO(content), name, columns, None)))
    outcome(lambda: formats.read_columns(io.BytesIO(content), name, columns))
    if name.endswith('.gz'):
        unpacked = _unpacked(gzip.decompress, content)
        if unpacked is None:
            assert found is None, 'read a file that gzip refuses'
            return
        if _STRICTER_GZIP.search(refused):
            return
        name, content = name.removesuffix('.gz'), unpacked
    is_json = formats.has_parts(name)
    expected = _json_rows(content) if is_json else _csv_rows(name, content)
    if expected is None or _NOT_TEXT in refused:
        assert found is None, 'read an unreadable file'
        return
    assert found is not None, refused
    # Each row is either a record or a reject.
    assert len(found) == len(expected), (len(found), len(expected))
    for got, row in zip(found, expected):
        if isinstance(got, Reject):
            assert _REASONS.fullmatch(got.reason), got
            json.dumps(got._asdict()).encode('ascii')
        else:
            assert row is not None, got
            assert got.text == _cell_text(row['text']), (got, row)
            got.text.encode('utf-8')
            assert LabelRule(ColumnSettings()).value(got.label or '') in (0, 1, None)
    assert [got.where for got in found] == sorted((got.where for got in found), key=_line)


def check_found_dialect(name: str, content: bytes) -> None:
    """Check that a table whose delimiter and quotes are found by content is read or refused."""
    read = formats.read_records
    for settings in ({}, {'header': False, 'text_column': '2', 'label_column': '1'}):
        columns = ColumnSettings.model_validate(settings)
        found, _ = outcome(lambda: list(read(io.BytesIO(content), name, columns, None)))  # noqa: B023
        for got in found or ():
            assert not isinstance(got, Reject) or _REASONS.fullmatch(got.reason), got
        places = [got.where for got in found or ()]
        assert places == sorted({*places}, key=_line)


def check_document(name: str, content: bytes) -> None:
    """Check that a .json or .zip file is read or refused, and an array of objects read whole."""
    columns = ColumnSettings()
    read = formats.read_records
    outcome(lambda: list(read(io.BytesIO(content), name, columns, None)))
    check_rows(name, content)
    if name.endswith('.json'):
        found, _ = outcome(
            lambda: list(formats.open_table(io.BytesIO(content), name, columns).rows)
        )
        try:
            wanted = json.load(_text(content))
        except (ValueError, RecursionError):
            return
        if isinstance(wanted, list):
            assert found is not None, 'refused an array'
            assert len(found) == len(wanted)


def check_columnar(name: str, content: bytes) -> None:
    """Check that a Parquet or Arrow file is read or refused, with columns of several types."""
    for column in ('text', 'body.text'):
        columns = ColumnSettings(text_column=column)
        stream = io.BytesIO(content)
        found, _ = outcome(lambda: list(formats.read_records(stream, name, columns, None)))  # noqa: B023
        for got in found or ():
            assert isinstance(got, Reject) or got.text.encode()


def check_tf_records(content: bytes) -> None:
    """Check that the records of a file are read or rejected, and a damaged file is refused."""
    read = formats.read_records
    for name in ('a.tfrecord', 'a.tfrecord.gz'):
        stream = io.BytesIO(gzip.compress(content, 1) if name.endswith('.gz') else content)
        columns = ColumnSettings()
        found, _ = outcome(lambda: list(read(stream, name, columns, None)))  # noqa: B023
        for got in found or ():
            assert not isinstance(got, Reject) or _REASONS.fullmatch(got.reason), got


def check_example(content: bytes) -> None:
    """Check that bytes are read as a tf.train.Example, or refused."""
    with contextlib.suppress(ValueError):
        tf_records.parse_example(content)


def _cell_text(value: object) -> object:
    return value if isinstance(value, str) else json.dumps(value)


def _line(where: str) -> int:
    return int(where.rpartition(':')[2])


def _text(content: bytes) -> io.StringIO:
    return io.StringIO(content.decode('utf-8-sig', 'surrogateescape'), newline='')


def _csv_rows(name: str, content: bytes) -> list[dict[str, str] | None] | None:
    """Return rows by column, None for one of another length; None if csv refuses."""
    lines = (line.replace('\0', '\udc80') for line in _text(content))
    # Blank first lines precede the header, and one line `sep=;`.
    first = next(lines := _after_blank(lines), '')
    lines = _after_blank(lines if _SEP_LINE.fullmatch(first) else itertools.chain([first], lines))
    reader = csv.reader(lines, delimiter='\t' if 'tsv' in name else ',', strict=True)
    try:
        header, *rows = [next(reader, []), *reader]
    except csv.Error:
        return None
    if header.count('text') != 1 or header.count('label') != 1:
        return None
    return [dict(zip(header, row)) if len(row) == len(header) else None for row in rows if row]


def _after_blank(lines: Iterable[str]) -> Iterator[str]:
    return itertools.dropwhile(lambda line: not line.strip(), lines)


def _json_rows(content: bytes) -> list[dict[str, object] | None]:
    rows: list[dict[str, object] | None] = []
    for line in _text(content):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            rows.append(row if isinstance(row, dict) else None)
    return rows


def _unpacked(unpack: Callable[[bytes], bytes], content: bytes) -> bytes | None:
    try:
        return unpack(content)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return None


# tarfile reads these, our reader refuses them: they are harmful, or nothing writes them.
_STRICTER = re.compile(
    'sparse|extended header|pax header|global header|bad number|bad checksum|outside the archive'
)


def check_archive(content: bytes) -> None:
    """Check that the archive reader reads the files that tarfile reads, or refuses."""
    found, refused = outcome(lambda: _files(content))
    unpacked: bytes | None = content
    for magic, unpack in (
        (b'\x1f\x8b', gzip.decompress),
        (b'BZh', bz2.decompress),
        (b'\xfd7zXZ\0', lzma.decompress),
    ):
        if content.startswith(magic):
            unpacked = _unpacked(unpack, content)
    if unpacked is None:
        assert found is None, 'read an archive that cannot be unpacked'
        return
    expected = read_with_tarfile(unpacked)
    if found is not None and expected is not None:
        assert found == expected
    if found is None and expected is not None and unpacked is content:
        assert _STRICTER.search(refused), (refused, [name for name, _ in expected])
    reviews, _ = outcome(
        lambda: list(imdb.read_archive(io.BytesIO(content), 'a.tar', unlabelled=True))
    )
    if reviews is not None and found is not None:
        wanted = [name for name, _ in found if _REVIEW.fullmatch(name)]
        assert [got.where for got in reviews] == [f'a.tar:{name}' for name in wanted]


def _files(content: bytes) -> list[tuple[str, bytes | None]]:
    try:
        return list(archive.read_files(io.BytesIO(content), lambda name: name))
    except (tarfile.ReadError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as err:
        raise DataError(str(err) or type(err).__name__) from err


def check_rows(name: str, content: bytes) -> None:
    """Check that `predict` reads each row unchanged and can write it."""
    source, _ = outcome(lambda: _read_all(name, content))
    if source is None:
        return
    rows = list(source.rows)
    for row, text in rows:
        assert text is None or text.strip()
        if text is not None:
            text.encode('utf-8')
        if source.format in ('csv', 'tsv'):
            assert source.table.dialect is not None
            lines = io.StringIO(row.raw, newline='')
            assert [cells for cells in source.table.dialect().read(lines) if cells] == [row.cells]
        elif source.format == 'jsonl':
            assert json.dumps(json.loads(row.raw)) == json.dumps(row.cells)
    for kind in ('csv', 'tsv', 'jsonl'):
        if source.format != 'txt':
            outcome(lambda kind=kind: _write(source, rows, kind))  # type: ignore[misc]


_ENCODINGS = ('utf-16', 'utf-16-le', 'utf-32', 'cp1252', 'shift_jis', 'gb18030', 'iso2022_jp', 'hz')


def check_encoding(content: bytes) -> None:
    """Check that a file of any encoding is read or refused; the first byte selects it."""
    columns = ColumnSettings(encoding=_ENCODINGS[(content[:1] or b'\0')[0] % len(_ENCODINGS)])
    for name in ('a.csv', 'a.jsonl', 'a.txt'):
        stream = io.BytesIO(content[1:])
        rows, _ = outcome(lambda: list(open_source(stream, name, columns).rows))  # noqa: B023
        for row in rows or ():
            (row.text or '').encode('utf-8')


def _read_all(name: str, content: bytes) -> Source:
    source = open_source(io.BytesIO(content), name, ColumnSettings())
    return source._replace(rows=iter(list(source.rows)))


def _write(source: Source, rows: list[TextRow], kind: str) -> None:
    writer = RowWriter(source, kind, Columns('score label', 'score'), ('neg', 'pos'))
    lines = [writer.header(), *(writer.row(row, _SCORE if text else None) for row, text in rows)]
    written = ''.join(lines).encode('utf-8', 'surrogateescape')
    if kind == 'jsonl':
        text = written.decode('utf-8-sig', 'replace')
        found = [json.loads(line) for line in text.split('\n') if line.strip()]
    else:
        dialect = Dialect('\t' if kind == 'tsv' else ',')
        if kind == source.format and source.table.dialect is not None:
            dialect = source.table.dialect()
        # Blank lines, `sep=;` and any quotes may stand before the end of the header.
        written = ''.join(lines[1:]).encode('utf-8', 'surrogateescape')
        lines_in = io.StringIO(written.decode('utf-8', 'replace'), newline='')
        found = [row for row in dialect.read(lines_in) if row]
    assert len(found) == len(rows), (len(found), len(rows))


def check_spans(content: bytes) -> None:
    """Check the newest spans; the first line is the pattern, the others are paths."""
    pattern, *paths = content.decode('utf-8', 'surrogateescape').split('\n')
    if not spans.has_placeholders(pattern):
        return

    def read() -> tuple[spans.Span, ...]:
        spans.require_valid(pattern)
        spans.glob_of(pattern)
        spans.fixed_part(f'/no-such-folder/{pattern}')
        return spans.newest(pattern, paths, 2)

    found, _ = outcome(read)
    if found is not None:
        assert 1 <= len(found) <= 2
        assert [span.number for span in found] == sorted({span.number for span in found})
        assert all(-(2**63) <= span.number < 2**63 for span in found)
        assert spans.describe(found)


def check_config(content: bytes) -> None:
    """Check that a settings file and a value of `--set` are read or refused."""
    with tempfile.NamedTemporaryFile(suffix='.yaml') as file:
        file.write(content)
        file.flush()
        path = pathlib.Path(file.name)
        flags = {'data.path': 'reviews.csv'}
        found, _ = outcome(lambda: load_config(preset='ngram', file=path, flags=flags))
        assert found is None or isinstance(found, PipelineConfig)
    text = content.decode('utf-8', 'replace')
    outcome(lambda: load_config(preset='ngram', flags=flags, settings=[text]))
    outcome(lambda: load_config(preset='ngram', flags=flags, settings=[f'trainer.seed={text}']))


def check_review(content: bytes) -> None:
    """Check that a review file becomes a record of its text or a reject."""
    found = imdb.read_file('/data/aclImdb/train/pos/1_9.txt', content)
    if isinstance(found, Record):
        assert found.text.encode('utf-8') == content
    else:
        assert _REASONS.fullmatch(found.reason)
