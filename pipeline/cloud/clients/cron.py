"""Checks cron expressions and time zones, before a service sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components.common.errors import ConfigError

_HINT = 'for example --cron "0 3 * * *": each day at 3:00'


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    words: Sequence[str] = ()


_MONTHS = ('jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec')
_WEEKDAYS = ('sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat')

# Sunday is 0. Many crons take 7 for it as well; that of Kubeflow Pipelines does not.
_FIELDS = (
    _Field('minute', 0, 59),
    _Field('hour', 0, 23),
    _Field('day of month', 1, 31),
    _Field('month', 1, 12, _MONTHS),
    _Field('day of week', 0, 6, _WEEKDAYS),
)

# The longest that each month can be.
_DAYS: Mapping[int, int] = {
    month: 29 if month == 2 else 30 if month in {4, 6, 9, 11} else 31 for month in range(1, 13)
}


def check_cron(expression: str) -> str:
    """Return a cron expression with single blanks, if both services take it.

    Args:
        expression: Five fields (minute, hour, day of month, month, day of week), each
            a list of `*`, numbers, ranges and steps; names of months and weekdays.

    Raises:
        ConfigError: If it is anything else, or a day that never comes.

    Example:
        >>> check_cron('0  3 * * mon-fri')
        '0 3 * * mon-fri'
    """
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        names = ', '.join(field.name for field in _FIELDS)
        raise ConfigError(
            f'expected a cron expression of five fields ({names}), got {len(parts)} in '
            f'{expression!r}',
            hint=_HINT,
        )
    days = [_values(part, field) for part, field in zip(parts, _FIELDS)]
    months, weekday = days[3], parts[4]
    # Where days of the week are given too, either kind of day will do.
    if weekday.startswith('*') and all(min(days[2]) > _DAYS[month] for month in months):
        raise ConfigError(f'the cron expression {expression!r} means a day that never comes')
    return ' '.join(parts)


def check_time_zone(name: str) -> str:
    """Return the name of a time zone, if it is one.

    Raises:
        ConfigError: If it is not.
    """
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as err:
        raise ConfigError(
            f'there is no time zone {name!r}', hint='expected an IANA name, as Europe/Berlin or UTC'
        ) from err
    return name


def _values(text: str, field: _Field) -> set[int]:
    values: set[int] = set()
    for item in text.split(','):
        span, slash, step = item.partition('/')
        first, dash, last = span.partition('-')
        if span == '*':
            low, high = field.lowest, field.highest
        else:
            low = _number(first, field, text)
            high = _number(last, field, text) if dash else field.highest if slash else low
        if low > high:
            raise _error(field, text)
        values.update(range(low, high + 1, _step(step, field, text) if slash else 1))
    return values


def _number(text: str, field: _Field, whole: str) -> int:
    if text.lower() in field.words:
        return field.words.index(text.lower()) + field.lowest
    if not (text.isascii() and text.isdecimal()) or not field.lowest <= int(text) <= field.highest:
        raise _error(field, whole)
    return int(text)


def _step(text: str, field: _Field, whole: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise _error(field, whole)
    return int(text)


def _error(field: _Field, text: str) -> ConfigError:
    words = f' or {field.words[0]} to {field.words[-1]}' if field.words else ''
    return ConfigError(
        f'the {field.name} of a cron expression takes *, numbers from {field.lowest} to '
        f'{field.highest}{words}, ranges and steps, got {text!r}',
        hint=_HINT,
    )
