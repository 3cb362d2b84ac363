"""Reads Parquet files, and Arrow files and streams, in batches of rows.

pyarrow is imported when a file is opened: most commands never need it.
"""

from __future__ import annotations

import contextlib
import decimal
import itertools
import json
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO, TypeAlias

from components.common.settings import ColumnSettings
from components.readers.feature_columns import needed_columns
from components.readers.lines import MAX_ROW_CHARACTERS
from components.readers.records import TOO_LONG, Reject
from components.readers.tables import Row, Table

# Python's values of one batch, for reviews some 1 MB.
_BATCH_ROWS = 1_000
# Without it, pyarrow reads a whole column of a row group at once.
_BUFFER_BYTES = 1 << 20
_ARROW_MAGIC = b'ARROW1'
_CLASS_LABEL = 'ClassLabel'

# Yields record batches with the named columns, or with all of them.
_Batches: TypeAlias = Callable[[Collection[str] | None], Iterator[Any]]


def open_parquet(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    """Open a Parquet file; its rows have the numbers from 1.

    A struct's field is a column if the settings name it, such as `body.text`. Labels that the
    `datasets` library stored as numbers have the names that it stored beside them.

    Raises:
        OSError: If the file is damaged; its rows raise it, too.
    """
    import pyarrow.parquet as pq

    def batches(only: Collection[str] | None) -> Iterator[Any]:
        # A path selects a field of a struct, or a whole struct.
        paths = None if only is None else [*only]
        yield from file.iter_batches(_BATCH_ROWS, columns=paths, use_threads=False)

    with _damage_as_os_error():
        file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
        return _make_table(file.schema_arrow, batches, name, columns)


def open_arrow(stream: BinaryIO, name: str, columns: ColumnSettings) -> Table:
    """Open an Arrow file or stream (IPC, also known as Feather 2), as `open_parquet` does."""
    import pyarrow as pa

    def batches(only: Collection[str] | None) -> Iterator[Any]:
        for batch in found:
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(start, _BATCH_ROWS)

    with _damage_as_os_error():
        magic = stream.read(len(_ARROW_MAGIC))
        stream.seek(0)
        if magic == _ARROW_MAGIC:
            file = pa.ipc.open_file(stream)
            found = (file.get_batch(index) for index in range(file.num_record_batches))
        else:
            file = pa.ipc.open_stream(stream)
            found = iter(file)
        return _make_table(file.schema, batches, name, columns)


def _make_table(schema: Any, batches: _Batches, name: str, columns: ColumnSettings) -> Table:
    nested = [path for path in needed_columns(columns) if _has_path(schema, path)]
    names = [*schema.names, *nested]
    class_names = _class_names(schema)

    def read_rows(only: Collection[str] | None) -> Iterator[Row | Reject]:
        wanted = names if only is None else [each for each in names if each in set(only)]
        numbers = itertools.count(1)
        with _damage_as_os_error():
            for batch in batches(only and wanted):
                values = [_column(batch, each, class_names.get(each)) for each in wanted]
                rows = zip(*values) if values else [()] * batch.num_rows
                for row, number in zip(rows, numbers):
                    yield _make_row(f'{name}:{number}', dict(zip(wanted, row)))

    # The generator does not start, and so reads nothing, if `project` is used instead.
    return Table(names, read_rows(None), project=read_rows)


def _make_row(where: str, cells: dict[str, Any]) -> Row | Reject:
    raw = json.dumps(cells)
    return Reject(TOO_LONG, where) if len(raw) > MAX_ROW_CHARACTERS else Row(where, raw, cells)


def _has_path(schema: Any, path: str) -> bool:
    """Return whether a path such as `body.text` leads through structs to a field."""
    import pyarrow as pa

    first, *rest = path.split('.')
    if path in schema.names or schema.names.count(first) != 1 or not rest:
        return False
    kind = schema.field(first).type
    for part in rest:
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            return False
        kind = kind[kind.get_field_index(part)].type
    return True


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Return the names of label values that the `datasets` library stores in the schema."""
    try:
        info = json.loads((schema.metadata or {}).get(b'huggingface', b'{}'))
        return {
            column: [*map(str, feature['names'])]
            for column, feature in info['info']['features'].items()
            if isinstance(feature, dict) and feature.get('_type') == _CLASS_LABEL
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _column(batch: Any, path: str, class_names: list[str] | None) -> list[Any]:
    """Return the values of a column, or of a field of a struct, as JSON has them."""
    index = batch.schema.names.index(path) if path in batch.schema.names else -1
    if index >= 0:
        values = _values(batch.column(index))
    else:
        first, *rest = path.split('.')
        values = _values(batch.column(batch.schema.names.index(first)))
        for part in rest:
            values = [None if value is None else value.get(part) for value in values]
    if class_names is None:
        return values
    return [_name_class(value, class_names) for value in values]


def _name_class(value: Any, names: list[str]) -> Any:
    # The hub writes -1 where a label is hidden.
    if value == -1:
        return None
    known = isinstance(value, int) and 0 <= value < len(names)
    return names[value] if known else value


def _values(array: Any) -> list[Any]:
    import pyarrow as pa

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _values(array.storage)
    # pyarrow trusts the offsets in a file. It must not read outside of a damaged one.
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _decode(array.view(pa.binary()))
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return _decode(array.view(pa.large_binary()))
    array.validate(full=True)
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if pa.types.is_temporal(kind):
        array = _write_times(array)
    return [*map(_plain, array.to_pylist())]


def _decode(array: Any) -> list[str | None]:
    # pyarrow does not check that texts are UTF-8; the row of one that is not is rejected.
    array.validate(full=True)
    return [
        None if value is None else value.decode('utf-8', 'surrogateescape')
        for value in array.to_pylist()
    ]


def _write_times(array: Any) -> Any:
    """Return times as texts, or as numbers where pyarrow cannot write them."""
    import pyarrow as pa

    for kind in (pa.string(), pa.int64(), pa.int32()):
        with contextlib.suppress(pa.ArrowException):
            return array.cast(kind)
    return array


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: a number that is none, as a missing value."""
    if isinstance(value, decimal.Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, bytes):
        return value.decode('utf-8', 'surrogateescape')
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_plain, value)]
    return value if value is None or isinstance(value, int | float | str) else str(value)


@contextlib.contextmanager
def _damage_as_os_error() -> Iterator[None]:
    """Raise an OSError of one line in place of what pyarrow raises for a damaged file."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, ValueError, LookupError, OverflowError, MemoryError) as err:
        text = ''.join(c if c.isprintable() else ' ' for c in str(err))
        raise OSError(' '.join(text.split())[:200] or type(err).__name__) from err
    except OSError as err:
        if err.errno is not None:
            raise
        text = ''.join(c if c.isprintable() else ' ' for c in str(err))
        raise OSError(' '.join(text.split())[:200]) from err
