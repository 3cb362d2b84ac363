"""Reads TFRecord files of tf.train.Example messages, without TensorFlow.

A record is its length, a checksum of the length, its bytes, and their checksum:
https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias

import google_crc32c

from components.common.settings import ColumnSettings
from components.readers.decompression import CHUNK_BYTES, gunzip, stream_of
from components.readers.lines import MAX_ROW_CHARACTERS
from components.readers.records import NOT_AN_EXAMPLE, TOO_LONG, Reject
from components.readers.tables import Row, Table

_HEADER_BYTES, _CHECKSUM_BYTES = 12, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_MAX_VARINT_BYTES = 10

_Field: TypeAlias = tuple[int, int | bytes]


def open_table(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    """Open a file; its columns are the features of its first example.

    A feature with one value becomes that value, one with several a list, and one
    without values None.

    Raises:
        OSError, EOFError, zlib.error: If the first record is damaged.
    """
    if name.lower().endswith('.gz'):
        stream = stream_of(gunzip(stream))
    rows = _read_rows(stream, name)
    first = list(itertools.islice(rows, 1))
    names = [column for row in first if isinstance(row, Row) for column in row.cells]
    return Table(names, itertools.chain(first, rows), same_columns=False)


def _read_rows(stream: BinaryIO, name: str) -> Iterator[Row | Reject]:
    for number, record in enumerate(_read_records(stream), 1):
        where = f'{name}:{number}'
        if record is None:
            yield Reject(TOO_LONG, where)
            continue
        try:
            cells = parse_example(record)
        except ValueError:
            yield Reject(NOT_AN_EXAMPLE, where)
        else:
            yield Row(where, json.dumps(cells), cells)


def _read_records(stream: BinaryIO) -> Iterator[bytes | None]:
    """Yield the records, None in place of one that is too long."""
    for number in itertools.count(1):
        header = _read(stream, _HEADER_BYTES)
        if not header:
            return
        size, checksum = struct.unpack('<QI', _require(header, _HEADER_BYTES, number))
        if checksum != masked_checksum(header[:8]):
            raise OSError(f'the length of record {number} is damaged; is it a TFRecord file?')
        if size > MAX_ROW_CHARACTERS:
            _skip(stream, size + _CHECKSUM_BYTES, number)
            yield None
            continue
        content = _require(_read(stream, size + _CHECKSUM_BYTES), size + _CHECKSUM_BYTES, number)
        record = content[:size]
        if content[size:] != struct.pack('<I', masked_checksum(record)):
            raise OSError(f'record {number} is damaged')
        yield record


def _read(stream: BinaryIO, size: int) -> bytes:
    # A stream in an object store may return less than asked for.
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b''.join(parts)


def _require(content: bytes, size: int, number: int) -> bytes:
    if len(content) < size:
        raise EOFError(f'record {number} has no end')
    return content


def _skip(stream: BinaryIO, size: int, number: int) -> None:
    while size:
        size -= len(_require(_read(stream, min(size, CHUNK_BYTES)), 1, number))


def masked_checksum(data: bytes) -> int:
    """Return the checksum that a TFRecord file has for a length or for the bytes of a record."""
    checksum: int = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def parse_example(data: bytes) -> dict[str, Any]:
    r"""Parse a tf.train.Example.

    >>> parse_example(b'\n\x10\n\x0e\n\x05label\x12\x05\x1a\x03\n\x01\x01')
    {'label': 1}

    Args:
        data: The serialized message.

    Returns:
        The values by feature, sorted by name. Surrogates stand for bytes that are not UTF-8.

    Raises:
        ValueError: If it is no such message.
    """
    entries = [
        dict(_parse_fields(_message(entry)))
        for features in _values_of(1, _parse_fields(data))
        for entry in _values_of(1, _parse_fields(_message(features)))
    ]
    cells = {
        _text(_message(entry.get(1, b''))): _parse_feature(_message(entry.get(2, b'')))
        for entry in entries
    }
    # Protocol buffers write the entries of a map in any order.
    return dict(sorted(cells.items()))


def _parse_feature(data: bytes) -> Any:
    values: list[Any] = []
    for number, content in _parse_fields(data):
        fields = _values_of(1, _parse_fields(_message(content)))
        if number == 1:
            values += [_text(_message(value)) for value in fields]
        elif number == 2:
            values += [number for value in fields for number in _unpack_floats(value)]
        elif number == 3:
            values += [number for value in fields for number in _unpack_integers(value)]
    if len(values) > 1:
        return values
    return values[0] if values else None


def _unpack_floats(value: int | bytes) -> tuple[float, ...]:
    data = _message(value)
    if len(data) % 4:
        raise ValueError('a float is cut off')
    return struct.unpack(f'<{len(data) // 4}f', data)


def _unpack_integers(value: int | bytes) -> Iterator[int]:
    if isinstance(value, int):
        yield _signed(value)
        return
    position = 0
    while position < len(value):
        number, position = _parse_varint(value, position)
        yield _signed(number)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _parse_fields(data: bytes) -> Iterator[_Field]:
    """Yield number and value of each field: an integer, or bytes."""
    position = 0
    while position < len(data):
        key, position = _parse_varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _parse_varint(data, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _parse_varint(data, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f'unknown wire type {kind}')
        if position + size > len(data):
            raise ValueError('a field is cut off')
        yield number, data[position : position + size]
        position += size


def _parse_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position + index + 1
    raise ValueError('a number has no end')


def _values_of(number: int, fields: Iterator[_Field]) -> Iterator[int | bytes]:
    return (value for found, value in fields if found == number)


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError('expected bytes')
    return value


def _text(data: bytes) -> str:
    return data.decode('utf-8', errors='surrogateescape')
