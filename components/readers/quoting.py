"""Finds out whether quotes in a .csv or .tsv file enclose fields or are text."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from components.common.errors import DataError
from components.readers import lines as line_limits
from components.readers.dialect import Dialect

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

    def add_row(self, lines: Sequence[str], dialect: Dialect, width: int, fields: int) -> None:
        """Count a row by its lines; `fields` is its number of fields if quotes enclose them."""
        if len(lines) == 1:
            self.add_line(lines[0], dialect, width, fields)
            return
        self.quoted_rows += 1
        self.plain_rows += len(lines)
        all_fit = all(dialect.fits(line, width) for line in lines)
        if fields != width:
            self.quoted_bad += all_fit
            self.bad += not all_fit
        elif not all_fit:
            self.plain_bad += 1
        elif any('""' in line for line in lines):
            # A quote in a quoted field is written twice; in other texts, that is rare.
            self.plain_bad += _RATIO
        else:
            self.swallowed += 1

    def add_line(self, line: str, dialect: Dialect, width: int, fields: int) -> None:
        """Count a row of one line as `add_row` does."""
        self.quoted_rows += 1
        self.plain_rows += 1
        fits = dialect.fits(line, width)
        if fields != width:
            self.quoted_bad += fits
            self.bad += not fits
        elif not fits:
            self.plain_bad += _RATIO

    def add_text(self, text: str, dialect: Dialect, width: int, *, lines: int, fields: int) -> None:
        """Count a row by its text and number of lines as `add_row` does, but faster."""
        if lines == 1:
            self.add_line(text, dialect, width, fields)
            return
        first = text[: text.find('\n')].partition('\r')[0]
        if fields == width and not dialect.fits(first, width):
            # The other lines would tell nothing more.
            self.quoted_rows += 1
            self.plain_rows += lines
            self.plain_bad += 1
        else:
            self.add_row([*io.StringIO(text, newline='')], dialect, width, fields)

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
            bad = _count_bad(read_lines(), dialect._replace(escaped=True), width)
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
    """Count all rows; yield after each one with quotes."""
    quote = f'{dialect.delimiter}"'
    escapes = tuple(f'\\{each}' for each in (dialect.delimiter, '"', '\n', '\r'))
    later = iter(lines)
    again: deque[str] = deque()
    while (line := again.popleft() if again else next(later, None)) is not None:
        if '\\' in line:
            tally.escapes += any(each in line for each in escapes)
            tally.nulls += '\\N' in line.rstrip('\r\n').split(dialect.delimiter)
        if '"' not in line or not (line[0] == '"' or quote in line):
            if line.strip():
                tally.add_plain(fits=dialect.fits(line, width))
            continue
        taken: list[str] = []

        def take(first: str, taken: list[str] = taken) -> Iterator[str]:
            characters = 0
            following: str | None = first
            while following is not None and characters <= line_limits.MAX_ROW_CHARACTERS:
                taken.append(following)
                characters += len(following)
                yield following
                following = again.popleft() if again else next(later, None)
            if following is not None:
                again.appendleft(following)

        try:
            cells = next(dialect.read(take(line)))
        except csv.Error:
            # If quotes are text, the next row begins in the next line.
            again.extendleft(reversed(taken[1:]))
            fits = dialect.fits(line, width)
            tally.add_plain(fits=True)
            tally.quoted_bad += 1
            tally.plain_bad += not fits
            tally.with_quotes += 1
        else:
            tally.add_row(taken, dialect, width, len(cells))
            tally.with_quotes += 1
        yield


def _count_bad(lines: Iterator[str], dialect: Dialect, width: int) -> float:
    try:
        return sum(1 for cells in dialect.read(lines) if cells and len(cells) != width)
    except csv.Error:
        return float('inf')
