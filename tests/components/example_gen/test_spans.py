from __future__ import annotations

import pathlib

import pytest

from components.common.errors import DataError
from components.example_gen import spans


def patterns(pattern: str, paths: list[str], count: int) -> list[str]:
    return [span.pattern for span in spans.newest(pattern, paths, count)]


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [
        ('{SPAN}/{YYYY}.csv', '{SPAN} and {YYYY} both name the span'),
        ('{SPAN}/{YYYY}{MM}{DD}.csv', '{SPAN} and {YYYY} both name the span'),
        ('v-{VERSION}/a.csv', 'no span is named'),
        ('{YYYY}{MM}/a.csv', 'a day needs all of'),
        ('{DD}.csv', 'a day needs all of'),
        ('{SPAN}/{SPAN}.csv', '{SPAN} occurs more than once'),
        ('{SPAN}/{SPAN:2}.csv', '{SPAN} occurs more than once'),
        ('{YYYY}/{YYYY}{MM}{DD}.csv', '{YYYY} occurs more than once'),
        ('{SPAN}{VERSION}.csv', 'no character separates the two numbers'),
        ('{SPAN:x}.csv', 'no valid width'),
        ('{SPAN:0}.csv', 'no valid width'),
        ('{DD:2}{MM}{YYYY}.csv', 'no valid width'),
        ('{DATE}.csv', 'expected one of {SPAN}, {VERSION}, {YYYY}, {MM}, {DD}, got {DATE}'),
        ('{span}.csv', 'got {span}'),
        ('[z-a]-{SPAN}.csv', 'a part in brackets is malformed: bad character range z-a'),
    ],
)
def test_error_names_the_contradiction_when_a_pattern_has_one(pattern: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        spans.require_valid(f'gs://b/{pattern}')
    assert message in str(caught.value)
    assert f'gs://b/{pattern}' in str(caught.value)
    assert '\n' not in str(caught.value)
    assert 'for example' in caught.value.hint


@pytest.mark.parametrize(
    'pattern',
    [
        '{SPAN}.csv',
        '{SPAN:4}/v{VERSION:2}/*.csv',
        '{SPAN:4}{VERSION:2}.csv',
        '{DD}.{MM}.{YYYY}/{VERSION}.tsv',
        '{YYYY}{MM}{DD}{VERSION}.csv',
    ],
)
def test_pattern_is_valid_when_each_part_is_named_once(pattern: str) -> None:
    spans.require_valid(pattern)


@pytest.mark.parametrize(
    ('pattern', 'paths', 'expected'),
    [
        ('s-{SPAN}/a.csv', ['s-9/a.csv', 's-10/a.csv', 's-8/a.csv'], ['s-9/a.csv', 's-10/a.csv']),
        ('s-{SPAN}/a.csv', ['s-3/a.csv'], ['s-3/a.csv']),
        # TFX finds these only with a width.
        ('s-{SPAN}/a.csv', ['/d/s-008/a.csv', '/d/s-010/a.csv'], ['s-008/a.csv', 's-010/a.csv']),
        ('s-{SPAN:3}/a.csv', ['s-008/a.csv', 's-010/a.csv'], ['s-008/a.csv', 's-010/a.csv']),
        ('{SPAN}/*.csv', ['1/a.csv', '1/b.csv', '2/c.csv'], ['1/*.csv', '2/*.csv']),
        (
            '{SPAN}/v{VERSION}/a.csv',
            ['1/v9/a.csv', '1/v10/a.csv', '2/v1/a.csv', '0/v7/a.csv'],
            ['1/v10/a.csv', '2/v1/a.csv'],
        ),
        (
            'day-{YYYY}{MM}{DD}/*.csv',
            ['gs://b/day-20251231/a.csv', 'gs://b/day-20260102/a.csv', 'gs://b/day-20250601/x.csv'],
            ['day-20251231/*.csv', 'day-20260102/*.csv'],
        ),
        (
            '{DD}.{MM}.{YYYY}.csv',
            ['01.12.2025.csv', '31.01.2025.csv', '02.11.2025.csv'],
            ['02.11.2025.csv', '01.12.2025.csv'],
        ),
        ('*-{SPAN}?[a-c].csv', ['x1-12_b.csv', 'y-7_a.csv'], ['*-7?[a-c].csv', '*-12?[a-c].csv']),
        ('*{SPAN}.csv', ['x12.csv', 'y7.csv'], ['*7.csv', '*12.csv']),
        ('a+(b).{SPAN}.csv', ['a+(b).1.csv'], ['a+(b).1.csv']),
        # An older version may exist twice.
        ('{SPAN}/v{VERSION}.csv', ['1/v1.csv', '1/v01.csv', '1/v2.csv'], ['1/v2.csv']),
    ],
)
def test_newest_two_spans_are_returned_when_more_exist(
    pattern: str, paths: list[str], expected: list[str]
) -> None:
    assert patterns(pattern, paths, 2) == expected
    assert patterns(pattern, paths[::-1], 2) == expected


@pytest.mark.parametrize(
    ('pattern', 'paths', 'message'),
    [
        ('{SPAN}/a.csv', [], r'no file matches \{SPAN\}/a\.csv in gs://b/d'),
        ('{SPAN}/a.csv', ['1/a.csv', 'old/a.csv'], r'old/a\.csv does not match \{SPAN\}/a\.csv'),
        ('{SPAN:2}/a.csv', ['12/a.csv', '100/a.csv'], r'100/a\.csv does not match'),
        ('{SPAN}.csv', ['-1.csv'], r'-1\.csv does not match'),
        ('{SPAN}.csv', ['9' * 19 + '.csv'], 'a number of more than 18 digits'),
        ('{YYYY}{MM}{DD}.csv', ['20260231.csv'], r'20260231\.csv does not name a day'),
        ('s-{SPAN}/a.csv', ['s-1/a.csv', 's-01/a.csv'], 'version, got s-01/a.csv and s-1/a'),
        ('{SPAN}/v{VERSION}.csv', ['1/v1.csv', '1/v01.csv'], 'version, got 1/v01.csv and 1/v1'),
    ],
)
def test_error_names_the_path_when_spans_are_ambiguous(
    pattern: str, paths: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        spans.newest(pattern, paths, 1, folder='gs://b/d')


@pytest.mark.parametrize(
    ('pattern', 'paths', 'expected'),
    [
        ('{SPAN}.csv', ['18.csv'], 'span 18'),
        ('{SPAN}/{VERSION}.csv', ['18/3.csv'], 'span 18, version 3'),
        ('{SPAN}.csv', ['12.csv', '13.csv', '14.csv'], 'spans 12 to 14'),
        ('{SPAN}.csv', ['12.csv', '14.csv'], '2 spans 12 to 14'),
        (
            '{YYYY}{MM}{DD}.csv',
            ['20260228.csv', '20260301.csv'],
            'spans 2026-02-28 to 2026-03-01',
        ),
    ],
)
def test_description_names_the_spans_when_there_are_one_or_more(
    pattern: str, paths: list[str], expected: str
) -> None:
    assert spans.describe(spans.newest(pattern, paths, 7)) == expected


@pytest.mark.parametrize(
    ('path', 'expected'),
    [
        ('gs://b/{SPAN}.csv', ('gs://b', '{SPAN}.csv')),
        ('gs://b/r/d-{SPAN}/v/*.csv', ('gs://b/r', 'd-{SPAN}/v/*.csv')),
        ('gs://b/r/*/d-{SPAN}/a.csv', ('gs://b/r', '*/d-{SPAN}/a.csv')),
        ('/{SPAN}.csv', ('/', '{SPAN}.csv')),
        ('/mnt/r/s/{SPAN}.csv', ('/mnt/r/s', '{SPAN}.csv')),
    ],
)
def test_folder_is_separated_from_the_pattern_when_the_path_names_spans(
    path: str, expected: tuple[str, str]
) -> None:
    assert spans.fixed_part(path) == expected


def test_folder_is_not_a_pattern_when_it_exists(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / 'data [1]'
    folder.mkdir()
    assert spans.fixed_part(f'{folder}/{{SPAN}}.csv') == (str(folder), '{SPAN}.csv')


@pytest.mark.parametrize(
    ('pattern', 'path', 'number', 'label'),
    [
        ('{YYYY}-{MM}-{DD}.csv', '1970-01-31.csv', 30, '1970-01-31'),  # as TFX numbers days
        ('{SPAN}.csv', f'{"0" * 30}7.csv', 7, '7'),
    ],
)
def test_span_has_a_number_when_it_is_a_day_or_has_leading_zeros(
    pattern: str, path: str, number: int, label: str
) -> None:
    (span,) = spans.newest(pattern, [path], 1)
    assert (span.number, span.version, span.label) == (number, None, label)


def test_pattern_is_refused_when_the_bucket_has_a_placeholder() -> None:
    with pytest.raises(DataError, match='the name of the bucket has a placeholder'):
        spans.fixed_part('gs://b-{SPAN}/a.csv')
