"""A small cut of the sample data, for a rehearsal that is given none."""

from __future__ import annotations

import csv
import io
import pathlib

from components.common.atomic_write import atomic_write
from components.common.errors import DataError

SAMPLE = pathlib.Path(__file__).resolve().parents[3] / 'data' / 'sample' / 'reviews.csv'
SAMPLE_ROWS = 1_200


def cut_sample(
    folder: pathlib.Path, *, source: pathlib.Path = SAMPLE, rows: int = SAMPLE_ROWS
) -> pathlib.Path:
    """Write the first rows of the sample into a folder, and return the file.

    A file that is there with the same content is left alone: its time of change
    is a part of ExampleGen's cache key.

    Raises:
        DataError: If the sample is not there.
    """
    try:
        text = _first_rows(source.read_text(encoding='utf-8'), rows)
    except OSError as err:
        raise DataError(
            f'the sample data cannot be read: {err}', hint='name other data with --data PATH'
        ) from err
    path = folder / source.name
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text)
    return path


def _first_rows(table: str, rows: int) -> str:
    """Return the header and as many rows of a CSV table.

    >>> _first_rows('text,label\\ngood,1\\nbad,0\\n', 1)
    'text,label\\ngood,1\\n'
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator='\n')
    for index, row in enumerate(csv.reader(io.StringIO(table))):
        if index > rows:
            break
        writer.writerow(row)
    return written.getvalue()
