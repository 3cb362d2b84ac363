"""Finds the files of the newest spans of data that grows.

Patterns are those of TFX. `{SPAN}` is a number, or `{YYYY}`, `{MM}` and `{DD}`
together are a day, and `{VERSION}` is the number of a version of the span, of
which the newest counts. A width, as in `{SPAN:4}`, is a number of digits. Unlike
in TFX, numbers may have leading zeros without a width.
"""

from __future__ import annotations

import dataclasses
import datetime
import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from components.common.errors import DataError

_PLACEHOLDER = re.compile(r'\{([A-Za-z_]+)(?::([^{}/]*))?\}')
_DATE = ('YYYY', 'MM', 'DD')
_DIGITS = {'YYYY': r'\d{4}', 'MM': r'\d{2}', 'DD': r'\d{2}'}
_NAMES = ('SPAN', 'VERSION', *_DATE)
# ML Metadata stores the number of a span as an int64.
_MAX_DIGITS = 18
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_GLOB = re.compile(r'\*+|\?|\[!?\]?[^]/]*\]')
_EXAMPLE = 'for example reviews/day-{YYYY}{MM}{DD}/*.csv or reviews/span-{SPAN}/v-{VERSION}/a.csv'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """The newest version of a span.

    Attributes:
        number: As in the name; for a day, the days since 1970-01-01, as in TFX.
        version: None if the pattern has no `{VERSION}`.
        label: The number or the day, for people to read.
        pattern: The glob pattern of its files.
    """

    number: int
    version: int | None
    label: str
    pattern: str


def has_placeholders(path: str) -> bool:
    """Return whether a path has placeholders in braces, known or not.

    >>> has_placeholders('day-{YYYY}{MM}{DD}/*.csv'), has_placeholders('day-1/*.csv')
    (True, False)
    """
    return _PLACEHOLDER.search(path) is not None


def require_valid(pattern: str) -> None:
    """Check that a pattern names spans without contradiction.

    Raises:
        DataError: If a placeholder is unknown, repeated, incomplete or ambiguous.
    """
    found = [(match[1], match[2]) for match in _PLACEHOLDER.finditer(pattern)]
    names = [name for name, _ in found]
    for name, width in found:
        if name not in _NAMES:
            known = ', '.join(f'{{{each}}}' for each in _NAMES)
            raise _pattern_error(pattern, f'expected one of {known}, got {{{name}}}')
        if names.count(name) > 1:
            raise _pattern_error(pattern, f'{{{name}}} occurs more than once')
        if width is not None and (name in _DATE or not re.fullmatch(r'[1-9]\d?', width)):
            raise _pattern_error(
                pattern, f'{{{name}:{width}}} has no valid width, such as {{SPAN:4}}'
            )
    dated = [name for name in _DATE if name in names]
    if 'SPAN' in names and dated:
        raise _pattern_error(
            pattern, f'{{SPAN}} and {{{dated[0]}}} both name the span; use one of them'
        )
    if dated and len(dated) < len(_DATE):
        raise _pattern_error(pattern, 'a day needs all of {YYYY}, {MM} and {DD}')
    if 'VERSION' in names and not dated and 'SPAN' not in names:
        raise _pattern_error(pattern, '{VERSION} is a version of a span, and no span is named')
    if '{SPAN}{VERSION}' in pattern or '{VERSION}{SPAN}' in pattern:
        raise _pattern_error(pattern, 'no character separates the two numbers')
    try:
        _compile(pattern)
    except re.error as err:
        raise _pattern_error(pattern, f'a part in brackets is malformed: {err.msg}') from err


def glob_of(pattern: str) -> str:
    """Return the glob pattern that matches the files of all spans.

    >>> glob_of('day-{YYYY}{MM}{DD}/*.csv')
    'day-*/*.csv'
    """
    return re.sub(r'\*+', '*', _PLACEHOLDER.sub('*', pattern))


def fixed_part(path: str) -> tuple[str, str]:
    """Divide a path into the folder of all spans, and the pattern below it.

    >>> fixed_part('gs://bucket/reviews/day-{YYYY}{MM}{DD}/*.csv')
    ('gs://bucket/reviews', 'day-{YYYY}{MM}{DD}/*.csv')

    Raises:
        DataError: If the bucket's name has a placeholder.
    """
    *folders, _ = path.split('/')
    remote = '://' in path
    end = 3 if remote else 1
    for folder in folders[end:]:
        below = '/'.join([*folders[:end], folder])
        is_pattern = glob.has_magic(folder) and (remote or not os.path.isdir(below))
        if has_placeholders(folder) or is_pattern:
            break
        end += 1
    base = '/'.join(folders[:end])
    if has_placeholders(base):
        raise _pattern_error(path, 'the name of the bucket has a placeholder')
    return base or '/', '/'.join(path.split('/')[end:])


def newest(
    pattern: str, paths: Iterable[str], count: int, *, folder: str = '.'
) -> tuple[Span, ...]:
    """Return the newest version of each of the newest spans.

    >>> [s.label for s in newest('{SPAN}.csv', ['8.csv', '9.csv', '10.csv'], 2)]
    ['9', '10']

    Args:
        pattern: A pattern, relative to `folder`.
        paths: The paths that match `glob_of(pattern)` there.
        count: Largest number of spans.
        folder: The folder, for messages.

    Returns:
        Spans with files, oldest first.

    Raises:
        DataError: If there are none, a path has no number in place of a
            placeholder, or two folders or files are the same span and version.
    """
    expression = _compile(pattern)
    depth = pattern.count('/') + 1
    found: dict[int, dict[int | None, set[str]]] = {}
    for path in paths:
        match = expression.fullmatch('/'.join(path.split('/')[-depth:]))
        if match is None:
            raise DataError(
                f'{path} does not match {pattern}: a placeholder stands for digits only',
                hint='move it elsewhere, or make the pattern narrower',
            )
        digits = match.groupdict()
        version = _parse_integer(digits['VERSION'], path) if 'VERSION' in digits else None
        versions = found.setdefault(_parse_number(digits, path), {})
        versions.setdefault(version, set()).add(_fill(pattern, digits))
    if not found:
        raise DataError(
            f'no file matches {pattern} in {folder}',
            hint='check the pattern, and that the data of at least one span exists',
        )
    newest_numbers = sorted(found)[-count:]
    return tuple(_find_newest_version(pattern, number, found[number]) for number in newest_numbers)


def describe(spans: Sequence[Span]) -> str:
    """Describe spans in a few words.

    >>> describe(newest('{SPAN}.csv', ['1.csv', '2.csv', '3.csv'], 3))
    'spans 1 to 3'
    """
    first, last = spans[0], spans[-1]
    if len(spans) == 1:
        version = '' if last.version is None else f', version {last.version}'
        return f'span {last.label}{version}'
    window = f'spans {first.label} to {last.label}'
    gaps = last.number - first.number >= len(spans)
    return f'{len(spans)} {window}' if gaps else window


def _find_newest_version(
    pattern: str, number: int, versions: Mapping[int | None, set[str]]
) -> Span:
    version = max(versions, key=lambda each: -1 if each is None else each)
    if len(versions[version]) > 1:
        one, other = sorted(versions[version])[:2]
        raise DataError(
            f'expected one path for a span and version, got {one} and {other}',
            hint='remove one of them',
        )
    (filled,) = versions[version]
    dated = '{YYYY' in pattern
    label = datetime.date.fromordinal(number + _EPOCH).isoformat() if dated else str(number)
    return Span(number=number, version=version, label=label, pattern=filled)


def _fill(pattern: str, digits: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: digits[match[1]], pattern)


def _parse_number(digits: Mapping[str, str], path: str) -> int:
    if 'SPAN' in digits:
        return _parse_integer(digits['SPAN'], path)
    try:
        day = datetime.date(*(int(digits[name]) for name in _DATE))
    except ValueError as err:
        raise DataError(
            f'{path} does not name a day: {err}', hint='rename it, or make the pattern narrower'
        ) from err
    return day.toordinal() - _EPOCH


def _parse_integer(digits: str, path: str) -> int:
    if len(digits.lstrip('0')) > _MAX_DIGITS:
        raise DataError(
            f'{path} has a number of more than {_MAX_DIGITS} digits',
            hint='rename it, or make the pattern narrower',
        )
    return int(digits)


def _compile(pattern: str) -> re.Pattern[str]:
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(pattern):
        parts.append(_translate_glob(pattern[end : match.start()]))
        name, width = match[1], match[2]
        digits = _DIGITS.get(name) or (rf'\d{{{width}}}' if width else r'\d+')
        parts.append(f'(?P<{name}>{digits})')
        end = match.end()
    return re.compile(''.join([*parts, _translate_glob(pattern[end:])]))


def _translate_glob(text: str) -> str:
    """Return a regular expression for the text between two placeholders."""
    parts, end = [], 0
    for match in _GLOB.finditer(text):
        parts.append(re.escape(text[end : match.start()]))
        if match[0] == '?':
            parts.append('[^/]')
        elif match[0].startswith('*'):
            # Not greedy, so that all digits after it belong to the number.
            parts.append('[^/]*?')
        else:
            inside = match[0][1:-1].replace('\\', '\\\\').replace('[', '\\[')
            negated = inside.startswith('!')
            inside = inside.removeprefix('!').replace(']', '\\]')
            parts.append(f'[{"^" if negated else ""}{inside}]')
        end = match.end()
    return ''.join([*parts, re.escape(text[end:])])


def _pattern_error(pattern: str, message: str) -> DataError:
    return DataError(f'the pattern {pattern} cannot be used: {message}', hint=_EXAMPLE)
