from __future__ import annotations

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.label_issues.table import (
    SUMMARY_FILE,
    IssueSummary,
    LabelIssue,
    ShownIssue,
    format_summary,
    format_table,
    parse_table,
    rank_key,
    read_summary,
)

# Printable characters.
_TEXT = st.text(st.characters(exclude_categories=['C', 'Z']) | st.just(' '), max_size=20)
_ISSUE = st.builds(
    LabelIssue,
    split=st.sampled_from(['train', 'val', 'test']),
    file=_TEXT,
    line=st.none() | st.integers(1, 10**9),
    given=_TEXT,
    suggested=_TEXT,
    probability=st.integers(0, 10**6).map(lambda number: number / 10**6),
)
ISSUE = LabelIssue('test', 'reviews.csv', 17, 'neg', 'pos', 0.98765432)


def test_columns_have_the_documented_order_when_a_table_is_written() -> None:
    of_file = LabelIssue('train', 'aclImdb/train/neg/1_4.txt', None, 'neg', 'pos', 0.9)
    assert format_table([ISSUE, of_file]).decode() == (
        'rank,split,file,line,given,suggested,probability\n'
        '1,test,reviews.csv,17,neg,pos,0.987654\n'
        '2,train,aclImdb/train/neg/1_4.txt,,neg,pos,0.900000\n'
    )


@settings(deadline=None)
@given(st.lists(_ISSUE, max_size=5))
def test_table_is_read_as_it_was_written_when_names_are_arbitrary(issues: list[LabelIssue]) -> None:
    assert parse_table(format_table(issues)) == issues


def test_each_issue_is_one_line_when_names_have_control_characters() -> None:
    issue = ISSUE._replace(file='a\n\rb\0.csv', given='\u2028', suggested='x\ty')
    (found,) = parse_table(format_table([issue]))
    assert (found.file, found.given, found.suggested) == ('a  b .csv', ' ', 'x y')
    assert len(format_table([issue]).decode().splitlines()) == 2


@pytest.mark.parametrize(
    'content', [b'', b'rank,split\n', format_table([ISSUE]) + b'2,test\n', b'\xff']
)
def test_table_is_refused_when_it_is_damaged(content: bytes) -> None:
    with pytest.raises(ValueError, match=r'not a table|not enough values|invalid start byte'):
        parse_table(content)


def test_most_suspicious_come_first_when_issues_are_ranked() -> None:
    issues = [
        ISSUE._replace(probability=0.7),
        ISSUE._replace(probability=0.1),
        ISSUE._replace(probability=0.95, line=9),
        ISSUE._replace(probability=0.95, line=3),
        ISSUE._replace(probability=0.95, line=None, file='a.txt'),
    ]
    ranked = sorted(issues, key=rank_key)
    assert [(issue.probability, issue.line) for issue in ranked] == [
        (0.95, None),
        (0.95, 3),
        (0.95, 9),
        (0.1, 17),
        (0.7, 17),
    ]


@pytest.mark.parametrize(
    ('issue', 'where'),
    [
        (ISSUE, 'reviews.csv:17'),
        (ISSUE._replace(line=None), 'reviews.csv'),
        (ISSUE._replace(file='', line=1_234), 'example 1,234 of test'),
    ],
)
def test_place_is_described_when_parts_of_it_are_missing(issue: LabelIssue, where: str) -> None:
    assert issue.where == where


def test_summary_is_read_when_it_was_written(tmp_path: pathlib.Path) -> None:
    assert read_summary(str(tmp_path)) is None
    shown = ShownIssue(issue=ISSUE, text='Fine.', cut=False)
    summary = IssueSummary(counts={'test': 7, 'val': 0}, shown=[shown])
    path = tmp_path / SUMMARY_FILE
    path.parent.mkdir()
    path.write_bytes(format_summary(summary))
    assert read_summary(str(tmp_path)) == summary
    path.write_bytes(b'{}')
    with pytest.raises(ValueError, match='counts'):
        read_summary(str(tmp_path))
