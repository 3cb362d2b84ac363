"""Data that grows: which files a pattern with spans, versions or dates means just now.

The patterns are TFX's. `{SPAN}` stands for a number, or `{YYYY}`, `{MM}` and
`{DD}` together for a day, and `{VERSION}` for the number of an attempt at that
span, of which the newest counts. A width, as in `{SPAN:4}`, is a number of
digits. Unlike in TFX, numbers may have leading zeros without one.
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
# ML Metadata keeps the number of a span as an int64.
_MAX_DIGITS = 18
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_GLOB = re.compile(r'\*+|\?|\[!?\]?[^]/]*\]')
_EXAMPLE = 'for example reviews/day-{YYYY}{MM}{DD}/*.csv or reviews/span-{SPAN}/v-{VERSION}/a.csv'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """The newest version of a span.

    Attributes:
        number: As in the name; of a day, the days since 1970-01-01, as in TFX.
        version: None where the pattern names none.
        label: The number or the day, to be shown.
        pattern: The glob pattern of its files.
    """

    number: int
    version: int | None
    label: str
    pattern: str


def has_placeholders(path: str) -> bool:
    """Tell whether a path has parts in braces, known or not.

    >>> has_placeholders('day-{YYYY}{MM}{DD}/*.csv'), has_placeholders('day-1/*.csv')
    (True, False)
    """
    return _PLACEHOLDER.search(path) is not None


def require_valid(pattern: str) -> None:
    """Check that a pattern names spans in one way, and each part of it once.

    Raises:
        DataError: If not.
    """
    found = [(match[1], match[2]) for match in _PLACEHOLDER.finditer(pattern)]
    names = [name for name, _ in found]
    for name, width in found:
        if name not in _NAMES:
            known = ', '.join(f'{{{each}}}' for each in _NAMES)
            raise _wrong(pattern, f'{{{name}}} is none of {known}')
        if names.count(name) > 1:
            raise _wrong(pattern, f'{{{name}}} is in it more than once')
        if width is not None and (name in _DATE or not re.fullmatch(r'[1-9]\d?', width)):
            raise _wrong(pattern, f'{{{name}:{width}}} has no width such as {{SPAN:4}} has')
    dated = [name for name in _DATE if name in names]
    if 'SPAN' in names and dated:
        raise _wrong(pattern, f'{{SPAN}} and {{{dated[0]}}} both name the span; use one of them')
    if dated and len(dated) < len(_DATE):
        raise _wrong(pattern, 'a day needs all of {YYYY}, {MM} and {DD}')
    if 'VERSION' in names and not dated and 'SPAN' not in names:
        raise _wrong(pattern, '{VERSION} is a version of a span, and no span is named')
    if '{SPAN}{VERSION}' in pattern or '{VERSION}{SPAN}' in pattern:
        raise _wrong(pattern, 'nothing tells where one number ends and the other begins')
    try:
        _expression(pattern)
    except re.error as err:
        raise _wrong(pattern, f'a part in brackets is malformed: {err.msg}') from err


def glob_of(pattern: str) -> str:
    """Return the glob pattern that matches the files of all spans.

    >>> glob_of('day-{YYYY}{MM}{DD}/*.csv')
    'day-*/*.csv'
    """
    return re.sub(r'\*+', '*', _PLACEHOLDER.sub('*', pattern))


def fixed_part(path: str) -> tuple[str, str]:
    """Part a path into the folder that all spans are in, and the pattern below it.

    >>> fixed_part('gs://bucket/reviews/day-{YYYY}{MM}{DD}/*.csv')
    ('gs://bucket/reviews', 'day-{YYYY}{MM}{DD}/*.csv')

    Args:
        path: An address with a bucket, or an absolute path.

    Raises:
        DataError: If the name of the bucket has a placeholder.
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
        raise _wrong(path, 'the bucket is the same for all spans')
    return base or '/', '/'.join(path.split('/')[end:])


def newest(
    pattern: str, paths: Iterable[str], count: int, *, folder: str = '.'
) -> tuple[Span, ...]:
    """Return the newest version of each of the newest spans.

    >>> [s.label for s in newest('{SPAN}.csv', ['8.csv', '9.csv', '10.csv'], 2)]
    ['9', '10']

    Args:
        pattern: Relative to `folder`.
        paths: What `glob_of(pattern)` matches there.
        count: How many spans, at most; all of them if there are fewer.
        folder: To be named if nothing is there.

    Returns:
        Spans with files, oldest first.

    Raises:
        DataError: If there are none, a path has no number where the pattern
            wants one, or two folders or files are the same span and version.
    """
    expression = _expression(pattern)
    depth = pattern.count('/') + 1
    found: dict[int, dict[int | None, dict[str, Mapping[str, str]]]] = {}
    for path in paths:
        texts = _texts(expression, '/'.join(path.split('/')[-depth:]), pattern, path)
        version = _integer(texts['VERSION'], path) if 'VERSION' in texts else None
        versions = found.setdefault(_number(texts, path), {})
        versions.setdefault(version, {})[_fill(pattern, texts)] = texts
    if not found:
        raise DataError(
            f'no file matches {pattern} in {folder}',
            hint='check the pattern, and that the first span has arrived',
        )
    return tuple(_newest_version(number, found[number]) for number in sorted(found)[-count:])


def describe(spans: Sequence[Span]) -> str:
    """Name spans in a few words.

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


def _newest_version(
    number: int, versions: Mapping[int | None, Mapping[str, Mapping[str, str]]]
) -> Span:
    version = max(versions, key=lambda each: -1 if each is None else each)
    patterns = versions[version]
    if len(patterns) > 1:
        one, other = sorted(patterns)[:2]
        raise DataError(
            f'{one} and {other} are the same span and version, where one is expected',
            hint='remove one of them',
        )
    ((pattern, texts),) = patterns.items()
    label = '-'.join(texts[name] for name in _DATE) if 'YYYY' in texts else str(number)
    return Span(number=number, version=version, label=label, pattern=pattern)


def _texts(expression: re.Pattern[str], tail: str, pattern: str, path: str) -> dict[str, str]:
    match = expression.fullmatch(tail)
    if match is None:
        raise DataError(
            f'{path} is not named as {pattern} says: a placeholder stands for digits alone',
            hint='move it elsewhere, or make the pattern narrower',
        )
    return match.groupdict()


def _number(texts: Mapping[str, str], path: str) -> int:
    if 'SPAN' in texts:
        return _integer(texts['SPAN'], path)
    try:
        day = datetime.date(*(int(texts[name]) for name in _DATE))
    except ValueError as err:
        raise DataError(
            f'{path} names no day: {err}', hint='rename it, or make the pattern narrower'
        ) from err
    return day.toordinal() - _EPOCH


def _integer(digits: str, path: str) -> int:
    if len(digits.lstrip('0')) > _MAX_DIGITS:
        raise DataError(
            f'{path} has a number of more than {_MAX_DIGITS} digits',
            hint='rename it, or make the pattern narrower',
        )
    return int(digits)


def _fill(pattern: str, texts: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: texts[match[1]], pattern)


def _expression(pattern: str) -> re.Pattern[str]:
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(pattern):
        parts.append(_of_glob(pattern[end : match.start()]))
        name, width = match[1], match[2]
        digits = _DIGITS.get(name) or (rf'\d{{{width}}}' if width else r'\d+')
        parts.append(f'(?P<{name}>{digits})')
        end = match.end()
    return re.compile(''.join([*parts, _of_glob(pattern[end:])]))


def _of_glob(text: str) -> str:
    """Make a regular expression of what stands between placeholders."""
    parts, end = [], 0
    for match in _GLOB.finditer(text):
        parts.append(re.escape(text[end : match.start()]))
        if match[0] == '?':
            parts.append('[^/]')
        elif match[0].startswith('*'):
            # As little as can be: the digits after it are all the number's.
            parts.append('[^/]*?')
        else:
            inside = match[0][1:-1].replace('\\', '\\\\').replace('[', '\\[')
            negated = inside.startswith('!')
            inside = inside.removeprefix('!').replace(']', '\\]')
            parts.append(f'[{"^" if negated else ""}{inside}]')
        end = match.end()
    return ''.join([*parts, re.escape(text[end:])])


def _wrong(pattern: str, message: str) -> DataError:
    return DataError(f'the pattern {pattern} cannot be used: {message}', hint=_EXAMPLE)
