"""Cron expressions and time zones."""

from __future__ import annotations

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients.cron import check_cron, check_time_zone


@pytest.mark.parametrize(
    ('expression', 'tidied'),
    [
        ('0 3 * * *', '0 3 * * *'),
        ('  0  3\t* * * ', '0 3 * * *'),
        ('*/15 * * * *', '*/15 * * * *'),
        ('0,30 8-18/2 1,15 jan-MAR mon-fri', '0,30 8-18/2 1,15 jan-MAR mon-fri'),
        ('5/10 0 1 12 0', '5/10 0 1 12 0'),
        ('59 23 31 12 6', '59 23 31 12 6'),
        ('0 0 29 2 *', '0 0 29 2 *'),
        ('0 0 31 4-5 *', '0 0 31 4-5 *'),
        # Either kind of day will do where both are given.
        ('0 0 31 2 mon', '0 0 31 2 mon'),
    ],
)
def test_takes_what_both_services_take(expression: str, tidied: str) -> None:
    assert check_cron(expression) == tidied


@pytest.mark.parametrize(
    ('expression', 'message'),
    [
        ('', 'five fields .*, got 0'),
        ('0 3 * *', 'five fields .*, got 4'),
        ('0 0 3 * * *', 'five fields .*, got 6'),
        ('TZ=UTC 0 3 * * *', 'five fields .*, got 6'),
        ('@daily', 'five fields .*, got 1'),
        ('60 3 * * *', "minute .* 0 to 59, ranges and steps, got '60'"),
        ('0 24 * * *', "hour .* got '24'"),
        ('0 3 0 * *', "day of month .* got '0'"),
        ('0 3 32 * *', "day of month .* got '32'"),
        ('0 3 * 13 *', "month .* or jan to dec.* got '13'"),
        ('0 3 * * 7', "day of week .* 0 to 6 or sun to sat.* got '7'"),
        ('0 3 * * noday', "day of week .* got 'noday'"),
        ('0 mon * * *', "hour .* got 'mon'"),
        ('5-2 * * * *', "minute .* got '5-2'"),
        ('*/0 * * * *', r"minute .* got '\*/0'"),
        ('*/ * * * *', r"minute .* got '\*/'"),
        ('1, * * * *', "minute .* got '1,'"),
        ('-5 * * * *', "minute .* got '-5'"),
        ('1-2-3 * * * *', "minute .* got '1-2-3'"),
        ('\u0663 * * * *', 'minute .* got'),
        ('0 3 ? * *', r"day of month .* got '\?'"),
        ('0 3 30 2 *', 'a day that never comes'),
        ('0 3 31 apr,jun *', 'a day that never comes'),
    ],
)
def test_refuses_in_words_what_one_of_them_would_not_take(expression: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        check_cron(expression)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['UTC', 'Europe/Berlin', 'Asia/Kolkata'])
def test_takes_a_time_zone(name: str) -> None:
    assert check_time_zone(name) == name


@pytest.mark.parametrize('name', ['', 'Europe', 'Mars/Olympus', '../etc/passwd', '+02:00', 'a b'])
def test_refuses_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(ConfigError, match='there is no time zone'):
        check_time_zone(name)
