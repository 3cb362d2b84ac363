"""Finds out whether quotes in a .csv or .tsv file enclose fields or are text."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator

from components.common.errors import DataError
from components.readers.dialect import Dialect, RowError, lines_of, split_rows

# A reading is taken in spite of some evidence against it if that for it is so many times more.
_RATIO = 10
# Rows that only quoting explains, or that begin with quotes and do not contradict it: after so
# many, the rest of the file is checked only while it is read.
_ENOUGH_ROWS, _ENOUGH_QUOTED = 2_000, 5_000


@dataclasses.dataclass
class Tally:
    """What the two readings of a file give.

    Attributes:
        quoted_rows: Number of rows if quotes enclose fields.
        plain_rows: Number of rows if quotes are text.
        quoted_bad: Rows that only fit if quotes are text.
        plain_bad: Rows that only fit if quotes enclose fields; one whose quotes enclose a
            delimiter, and no line break, or a doubled quote, counts as `_RATIO` rows.
        swallowed: Rows with line breaks, each of whose lines is a row of its own if quotes
            are text.
        bad: Rows with another number of fields in both readings.
        with_quotes: Rows that begin a field with a quote.
        escapes: Rows in which a backslash precedes a delimiter, a quote or a line break.
        nulls: Rows with a field `\\N`.
    """

    quoted_rows: int = 0
    plain_rows: int = 0
    quoted_bad: int = 0
    plain_bad: int = 0
    swallowed: int = 0
    bad: int = 0
    with_quotes: int = 0
    escapes: int = 0
    nulls: int = 0

    def add_plain(self, *, fits: bool) -> None:
        """Count a line that both readings read alike."""
        self.quoted_rows += 1
        self.plain_rows += 1
        self.bad += not fits

    def add_row(self, text: str, dialect: Dialect, width: int, *, lines: int, fields: int) -> None:
        """Count a row by its text, its lines, and its fields if quotes enclose them."""
        self.quoted_rows += 1
        self.plain_rows += lines
        split = [text] if lines == 1 else lines_of(text)
        all_fit = all(dialect.fits(line, width) for line in split)
        if fields != width:
            self.quoted_bad += all_fit
            self.bad += not all_fit
        elif not all_fit:
            self.plain_bad += 1 if lines > 1 else _RATIO
        elif lines > 1 and '""' in text:
            # A quote in a quoted field is written twice; in other texts, that is rare.
            self.plain_bad += _RATIO
        elif lines > 1:
            self.swallowed += 1

    @property
    def is_quoted(self) -> bool:
        """Whether quotes enclose fields for certain, or make no difference."""
        return not self.swallowed or self.plain_bad - self.quoted_bad >= _RATIO * self.swallowed

    @property
    def is_enough(self) -> bool:
        """Whether the rest of the file need not be read before the first row is used."""
        if self.quoted_bad or self.escapes or self.nulls:
            return False
        if self.swallowed:
            return self.plain_bad > _ENOUGH_ROWS and self.is_quoted
        return self.plain_bad > _ENOUGH_ROWS or self.with_quotes > _ENOUGH_QUOTED

    def doubt(self, name: str) -> DataError:
        """Return the error for a file that may be read in either way."""
        return DataError(
            f'{name}: quotes may enclose fields or be text: it has {self.quoted_rows:,} rows if '
            f'they enclose fields, and {self.plain_rows:,} rows if they are text',
            hint='pass --quoting minimal if they enclose fields, --quoting none if they are text',
        )


def find_dialect(
    read_lines: Callable[[], Iterator[str]], delimiter: str, width: int, name: str
) -> tuple[Dialect, Tally | None]:
    r"""Find the reading of a file that has no contradiction.

    Both readings of a line differ only if a field begins with a quote. If quotes enclose
    fields, such a field ends right before a delimiter or a line break, and its row has as
    many fields as there are columns. If quotes are text, each line has.

    >>> lines = ['1\t"Great\n', '0\tThe 42" one\n']
    >>> find_dialect(lambda: iter(lines), '\t', 2, 'a.tsv')
    (Dialect(delimiter='\t', quoted=False, escaped=False), None)

    Args:
        read_lines: Opens the file after its header; a file may be opened several times.
        delimiter: The character between fields.
        width: Number of columns.
        name: The file's name, for the message.

    Returns:
        The dialect, and the counts of the rows up to which the file was read, None if all
        of it was.

    Raises:
        DataError: If both readings are possible and give different rows.
    """
    quoted, plain = Dialect(delimiter), Dialect(delimiter, quoted=False)
    tally = Tally()
    for _ in _count(read_lines(), tally, quoted, width):
        if tally.is_enough:
            return quoted, tally
    is_plain = tally.quoted_bad > _RATIO * tally.plain_bad
    if tally.escapes or tally.nulls:
        least = tally.bad + (tally.plain_bad if is_plain else tally.quoted_bad)
        # Quoting that only escapes make consistent comes before quotes that are text.
        spare = tally.quoted_bad + tally.bad if tally.escapes else least
        escaped = []
        for dialect, most in ((quoted, spare), (plain, least)):
            bad = _count_bad(read_lines(), dialect._replace(escaped=True), width, most)
            if bad * _RATIO < most or (tally.nulls and bad <= most):
                escaped.append(dialect._replace(escaped=True))
        if len(escaped) > 1 and not tally.is_quoted:
            raise tally.doubt(name)
        if escaped:
            return escaped[0], None
    if is_plain:
        return plain, None
    if tally.is_quoted:
        return quoted, None
    raise tally.doubt(name)


def _count(lines: Iterable[str], tally: Tally, dialect: Dialect, width: int) -> Iterator[None]:
    """Count the rows up to one that is too long; yield after each one with quotes."""
    quote = f'{dialect.delimiter}"'
    escapes = tuple(f'\\{each}' for each in (dialect.delimiter, '"', '\n', '\r'))
    later = _Lines(lines)
    for line in later:
        if '\\' in line:
            tally.escapes += any(each in line for each in escapes)
            tally.nulls += '\\N' in line.rstrip('\r\n').split(dialect.delimiter)
        if '"' not in line or not (line[0] == '"' or quote in line):
            if line.strip():
                tally.add_plain(fits=dialect.fits(line, width))
            continue
        tally.with_quotes += 1
        try:
            row = next(split_rows(itertools.chain([line], later), dialect))
        except RowError as err:
            fits = dialect.fits(line, width)
            tally.add_plain(fits=True)
            tally.quoted_bad += 1
            tally.plain_bad += not fits
            if err.too_long:
                return  # the file cannot be read if quotes enclose fields
            # If quotes are text, the next row begins in the next line.
            later.put_back(err.text[len(line) :])
        else:
            tally.add_row(row.text, dialect, width, lines=row.lines, fields=len(row.cells))
        yield


class _Lines(Iterator[str]):
    """Lines, of which the last ones can be read again."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[Iterator[str]] = []

    def __next__(self) -> str:
        while self._again:
            line = next(self._again[-1], None)
            if line is not None:
                return line
            self._again.pop()
        return next(self._lines)

    def put_back(self, text: str) -> None:
        """Have the lines of a text come next."""
        self._again.append(lines_of(text))


def _count_bad(lines: Iterator[str], dialect: Dialect, width: int, most: int) -> float:
    """Count the rows with another number of fields, up to one more than `most`."""
    bad = (row for row in split_rows(lines, dialect) if row.cells and len(row.cells) != width)
    try:
        return sum(1 for _ in itertools.islice(bad, most + 1))
    except RowError:
        return float('inf')
