"""Tests of the readers on arbitrary input; `make torture` fuzzes them for longer."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import hostile
from tests.torture.fuzz_targets import TARGETS
from tests.torture.fuzzer import Fuzzer, Target

BOUNDED = settings(derandomize=True, deadline=None, database=None, max_examples=150)

CELLS = st.text(st.sampled_from('ab"\',\t\n\r\0é\ud83d傑 1'), max_size=6)
HEADERS = st.sampled_from(['text,label', 'text\tlabel', 'label,text,x', 'text,text,label', '', '"'])


def encode(text: str) -> bytes:
    return text.encode('utf-8', 'surrogatepass')


@pytest.mark.parametrize('name', ['a.csv', 'a.tsv', 'a.csv.gz'])
@BOUNDED
@given(header=HEADERS, rows=st.lists(st.lists(CELLS, max_size=4), max_size=6), raw=st.binary())
def test_table_is_read_as_csv_reads_it_when_its_rows_are_arbitrary(
    name: str, header: str, rows: list[list[str]], raw: bytes
) -> None:
    delimiter = '\t' if '\t' in header else ','
    lines = [header, *(delimiter.join(row) for row in rows)]
    content = encode('\n'.join(lines)) + raw
    hostile.check_table(name, gzip.compress(content) if name.endswith('.gz') else content)
    hostile.check_table(name, content)
    hostile.check_rows(name, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=5,
)


@BOUNDED
@given(
    objects=st.lists(
        st.fixed_dictionaries({}, optional={'text': JSON, 'label': JSON, 'x': JSON}), max_size=5
    ),
    raw=st.binary(max_size=30),
    at=st.integers(0, 200),
)
def test_json_lines_are_read_as_json_reads_them_when_values_are_arbitrary(
    objects: list[dict[str, object]], raw: bytes, at: int
) -> None:
    content = '\n'.join(map(json.dumps, objects)).encode()
    for name in ('a.jsonl', 'a.ndjson'):
        hostile.check_table(name, content[:at] + raw + content[at:])
        hostile.check_rows(name, content[:at] + raw + content[at:])
        hostile.check_rows(name, content)


@BOUNDED
@given(st.binary())
def test_file_is_read_or_refused_when_its_bytes_are_arbitrary(content: bytes) -> None:
    for check in (hostile.check_archive, hostile.check_review):
        check(content)
    hostile.check_rows('a.txt', content)


@BOUNDED
@given(st.text(st.sampled_from('{}SPANVERIODYM:4*?[]!-/^\\a1.'), max_size=30), st.text(max_size=9))
def test_spans_are_found_or_refused_when_the_pattern_is_arbitrary(pattern: str, path: str) -> None:
    hostile.check_spans(encode(f'{{SPAN}}{pattern}\n1{path}\n2{path}'))
    hostile.check_spans(encode(f'{pattern}\n{path}'))


@settings(BOUNDED, max_examples=60)
@given(st.text(st.sampled_from('trainegcloud: &*!<>{}[],-?|"\'\n 019.~'), max_size=40))
def test_settings_are_read_or_refused_when_yaml_is_arbitrary(text: str) -> None:
    hostile.check_config(encode(text))


@pytest.mark.parametrize('name', ['tar', 'compressed tar', 'predict jsonl', 'config'])
def test_reader_has_no_crash_when_it_is_fuzzed_briefly(name: str) -> None:
    found = Fuzzer(TARGETS[name], seed=1).run(0.5)
    assert found.crashes == []
    assert found.executions > 5


def test_fuzzer_finds_a_crash_when_it_is_behind_three_branches() -> None:
    target = Target(divide_by_zero_for_fuz, [b'aaaa'], [], (__file__,))
    found = Fuzzer(target, seed=4).run(20, until_crash=True)
    ((content, error),) = found.crashes
    assert content.startswith(b'FUZ')
    assert error == 'ZeroDivisionError: found'


def divide_by_zero_for_fuz(content: bytes) -> None:
    for place, letter in enumerate(b'FUZ'):
        if content[place : place + 1] != bytes([letter]):
            return
    raise ZeroDivisionError('found')


def test_fuzzer_reports_a_hang_when_an_input_never_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('tests.torture.fuzzer._HANG_SECONDS', 0.2)
    found = Fuzzer(Target(loop_forever, [b''], [], (__file__,))).run(0)
    ((_, error),) = found.crashes
    assert error == '_HangError: no result after 0.2 s of CPU time'


def loop_forever(_: bytes) -> None:
    number = random.Random(0).random()
    while number < 2:
        number = number / 2
