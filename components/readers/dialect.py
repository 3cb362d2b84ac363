"""How the fields of a .csv or .tsv file are separated, and where its rows begin."""

from __future__ import annotations

import csv
import io
import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from components.common.settings import ColumnSettings
from components.readers import lines as line_limits

_DELIMITERS = (',', '\t', ';', '|')
# Excel reads and writes such a first line.
_SEP_LINE = re.compile(r'(?i)"?sep=([^"\r\n])"?[\r\n]*')
_HEAD_LINES = 20
_HEAD_CHARACTERS = 1 << 20
_LINE = re.compile(r'[^\r\n]*(?:\r\n?|\n)|[^\r\n]+')
_ESCAPE = re.compile(r'\\(.)', re.DOTALL)
# The letters that MySQL and PostgreSQL write after a backslash. A NUL costs its row.
_LETTERS = {'n': '\\\n', 't': '\\\t', 'r': '\\\r', '0': '\\\udc80'}
_REPLACE_NUL = operator.methodcaller('replace', '\0', '\udc80')


class Dialect(NamedTuple):
    r"""How the fields of a row are separated and quoted.

    Attributes:
        delimiter: The character between fields.
        quoted: Whether quotes enclose fields; otherwise they are text.
        escaped: Whether a backslash escapes the next character, as MySQL writes it.
    """

    delimiter: str
    quoted: bool = True
    escaped: bool = False

    def read(self, lines: Iterable[str]) -> Iterator[list[str]]:
        r"""Read the rows of some lines; `csv.Error` is raised where a quoted field does not end.

        >>> next(Dialect('\t', quoted=False).read(['1\t"Great\n']))
        ['1', '"Great']
        >>> next(Dialect('\t', quoted=False, escaped=True).read(['1\ta\\tb\t\\N\n']))
        ['1', 'a\tb', '']
        """
        # csv of some Python versions stops at a NUL; as a surrogate it costs only its row.
        clean = map(_REPLACE_NUL, lines)
        return csv.reader(
            map(self._translate, clean) if self.escaped else clean,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            escapechar='\\' if self.escaped else None,
            strict=True,
        )

    def fits(self, line: str, width: int) -> bool:
        """Return whether a line has this number of fields if quotes are text."""
        # Faster than to count the delimiters in a long text.
        return len(line.split(self.delimiter, width)) == width

    @property
    def delimiter_name(self) -> str:
        """The delimiter in words."""
        return 'a tab' if self.delimiter == '\t' else repr(self.delimiter)

    def describe(self) -> str:
        r"""Return the dialect in words.

        >>> Dialect('\t', quoted=False).describe()
        'fields are separated by a tab, quotes are text'
        """
        quotes = 'enclose fields' if self.quoted else 'are text'
        escapes = ', backslashes escape' if self.escaped else ''
        return f'fields are separated by {self.delimiter_name}, quotes {quotes}{escapes}'

    def _translate(self, line: str) -> str:
        if '\\' not in line:
            return line
        edges = re.escape(self.delimiter)
        line = re.sub(rf'(?:^|(?<={edges}))\\N(?=[{edges}\r\n]|$)', '', line)
        return _ESCAPE.sub(lambda match: _LETTERS.get(match[1], match[0]), line)


class SplitRow(NamedTuple):
    """A row of a file.

    Attributes:
        text: All of its characters, with its last line break.
        cells: Its fields; a blank line has none.
        lines: Its number of lines.
    """

    text: str
    cells: list[str]
    lines: int


class RowError(csv.Error):
    """A row that cannot be read.

    Attributes:
        text: What was read of it.
        too_long: Whether it has no end within `MAX_ROW_CHARACTERS`.
    """

    def __init__(self, message: str, text: str, *, too_long: bool) -> None:
        super().__init__(message)
        self.text = text
        self.too_long = too_long


def split_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[SplitRow]:
    r"""Split lines into rows.

    >>> next(split_rows(['"a\n', 'b",pos\n', 'c,neg\n'], Dialect(',')))
    SplitRow(text='"a\nb",pos\n', cells=['a\nb', 'pos'], lines=2)

    Raises:
        RowError: Where a row is too long, or a quoted field does not end.
    """
    # A row may have millions of lines, each of which would take some 60 bytes more in a list.
    text = io.StringIO()
    count = 0
    too_long = False

    def read_lines() -> Iterator[str]:
        nonlocal count, too_long
        for line in lines:
            if text.tell() + len(line) > line_limits.MAX_ROW_CHARACTERS:
                too_long = True
                limit = f'{line_limits.MAX_ROW_CHARACTERS:,}'
                raise csv.Error(f'the row is longer than {limit} characters')
            text.write(line)
            count += 1
            yield line

    try:
        for cells in dialect.read(read_lines()):
            yield SplitRow(text.getvalue(), cells, count)
            text = io.StringIO()
            count = 0
    except csv.Error as err:
        raise RowError(str(err), text.getvalue(), too_long=too_long) from err


def lines_of(text: str) -> Iterator[str]:
    r"""Yield the lines of a text with their line breaks, without a copy of all of them.

    >>> list(lines_of('one\r\n\rtwo'))
    ['one\r\n', '\r', 'two']
    """
    return (match[0] for match in _LINE.finditer(text))


def describe_unusual(dialect: Dialect, columns: ColumnSettings, delimiter: str) -> str:
    r"""Return what differs from a file as RFC 4180 has it, an empty string if nothing does.

    >>> describe_unusual(Dialect(';', quoted=False), ColumnSettings(), ',')
    "delimiter ';', quotes are text"
    >>> describe_unusual(Dialect('\t'), ColumnSettings(), '\t')
    ''

    Args:
        dialect: How the file is read.
        columns: The settings of the format.
        delimiter: The delimiter that the file's name stands for.
    """
    found = {
        f'delimiter {dialect.delimiter_name}': dialect.delimiter != delimiter,
        'quotes are text': not dialect.quoted,
        'backslashes escape': dialect.escaped,
        'no header': not columns.header,
        columns.encoding: columns.encoding != 'utf-8',
    }
    return ', '.join(part for part, differs in found.items() if differs)


class Layout(NamedTuple):
    """The start of a file.

    Attributes:
        delimiter: The character between fields.
        names: Names of the columns; numbers from 1 if the file has no header.
        header: The text up to the first row, without its last line break.
        newline: Line break of the first line that is not blank.
        lines: Number of lines before the first row.
        head: The lines from there that were read.
    """

    delimiter: str
    names: list[str]
    header: str
    newline: str
    lines: int
    head: list[str]


def read_layout(lines: Iterator[str], columns: ColumnSettings, default: str) -> Layout:
    r"""Read the first lines of a file, and find its delimiter and its columns.

    >>> read_layout(iter(['sep=;\n', 'text;label\n', 'Fine, really;pos\n']), ColumnSettings(), ',')
    ... # doctest: +NORMALIZE_WHITESPACE
    Layout(delimiter=';', names=['text', 'label'], header='sep=;\ntext;label', newline='\n',
           lines=2, head=['Fine, really;pos\n'])

    Args:
        lines: All lines of the file.
        columns: The settings of the format.
        default: The delimiter that the file's name stands for.

    Raises:
        csv.Error: If the quotes of the header do not match.
    """
    before: list[str] = []
    separator = None
    for line in lines:
        found = _SEP_LINE.fullmatch(line)
        if line.strip() and (found is None or separator is not None):
            lines = itertools.chain([line], lines)
            break
        separator = separator or (found and found[1])
        before.append(line)
    head = _read_head(lines)
    delimiter = columns.delimiter or separator or _find_delimiter(head, columns, default)
    size, names = _parse_header(head, delimiter, columns, lines)
    newline = _line_break(head[0]) if head else '\n'
    if not columns.header:
        names = [str(number + 1) for number in range(len(names))]
        size = 0
    header = ''.join([*before, *head[:size]])
    header = header[: len(header) - len(_line_break(header, ''))]
    return Layout(delimiter, names, header, newline, len(before) + size, head[size:])


def _line_break(line: str, default: str = '\n') -> str:
    for end in ('\r\n', '\n', '\r'):
        if line.endswith(end):
            return end
    return default


def _read_head(lines: Iterator[str]) -> list[str]:
    head: list[str] = []
    characters = 0
    for line in itertools.islice(lines, _HEAD_LINES):
        head.append(line)
        characters += len(line)
        if characters > _HEAD_CHARACTERS:
            break
    return head


def _parse_header(
    head: list[str], delimiter: str, columns: ColumnSettings, lines: Iterator[str]
) -> tuple[int, list[str]]:
    """Return the number of lines of the first row and its cells; may extend the head."""
    if not head:
        return 0, []
    plain = head[0].rstrip('\r\n').split(delimiter)
    if columns.quoting == 'none':
        return 1, plain
    taken = characters = 0

    def take() -> Iterator[str]:
        nonlocal taken, characters
        for number in itertools.count():
            if number == len(head):
                # Only a header that is known to be quoted may be longer than the head.
                line = next(lines, None) if columns.quoting == 'minimal' else None
                if line is None:
                    return
                if characters > _HEAD_CHARACTERS:
                    raise csv.Error(f'the header is longer than {_HEAD_CHARACTERS:,} characters')
                head.append(line)
            taken += 1
            characters += len(head[number])
            yield head[number]

    try:
        names = next(Dialect(delimiter).read(take()), [])
    except csv.Error:
        if columns.quoting == 'minimal':
            raise
        return 1, plain
    if taken > 1 and columns.quoting == 'auto' and columns.text_column not in names:
        return 1, plain  # an opening quote that is text
    return taken, names


def _find_delimiter(head: Sequence[str], columns: ColumnSettings, default: str) -> str:
    candidates = sorted(_DELIMITERS, key=lambda each: each != default)
    if columns.header and head:
        for wanted in ({columns.text_column, columns.label_column}, {columns.text_column}):
            for delimiter in candidates:
                if wanted <= {*_split(head[0], delimiter)}:
                    return delimiter
    for delimiter in candidates:
        widths = {len(_split(line, delimiter)) for line in head if line.strip()}
        if len(widths) == 1 and widths != {1}:
            return delimiter
    return default


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(Dialect(delimiter).read([line]), [])
    except csv.Error:
        return line.rstrip('\r\n').split(delimiter)
