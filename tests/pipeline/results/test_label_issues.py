from __future__ import annotations

import json
import pathlib

import pytest

from components.label_issues.table import (
    SUMMARY_FILE,
    TABLE_FILE,
    IssueSummary,
    LabelIssue,
    ShownIssue,
    format_summary,
    format_table,
    merge_summaries,
    parse_table,
)
from pipeline.results.label_issues import LabelIssues, join_label_issues
from pipeline.results.outcome import RunOutcome, load_outcome, save_record

TRAIN = [
    LabelIssue('train', 'a.csv', 7, 'neg', 'pos', 0.99),
    LabelIssue('val', 'a.csv', 9, 'pos', 'neg', 0.4),
]
TEST = [LabelIssue('test', 'a.csv', 8, 'pos', 'neg', 0.02)]


def write(folder: pathlib.Path, issues: list[LabelIssue], *splits: str) -> str:
    """Write the files of an artifact, with the counts of some splits."""
    (folder / TABLE_FILE).parent.mkdir(parents=True)
    counts = {split: sum(issue.split == split for issue in issues) for split in splits}
    summary = IssueSummary(
        counts=counts, shown=[ShownIssue(issue=each, text='a text', cut=False) for each in issues]
    )
    (folder / TABLE_FILE).write_bytes(format_table(issues))
    (folder / SUMMARY_FILE).write_bytes(format_summary(summary))
    return str(folder)


def test_tables_are_joined_by_rank_when_several_nodes_wrote_one(tmp_path: pathlib.Path) -> None:
    folders = [
        write(tmp_path / 'trainer', TRAIN, 'train', 'val'),
        write(tmp_path / 'evaluator', TEST, 'test'),
    ]
    path = tmp_path / 'reports' / 'run.label_issues.csv'
    found = join_label_issues(folders, path)
    assert found == LabelIssues(train=1, val=1, test=1, file=str(path))
    assert found.describe() == '3 suspected errors'
    assert [issue.line for issue in parse_table(path.read_bytes())] == [7, 8, 9]
    assert path.read_text().splitlines()[2] == '2,test,a.csv,8,pos,neg,0.020000'
    assert 'a text' not in path.read_text()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_split_has_no_number_when_it_was_not_examined(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'old').mkdir()
    folders = [str(tmp_path / 'old'), write(tmp_path / 'evaluator', TEST, 'test')]
    found = join_label_issues(folders, tmp_path / 'a.csv')
    assert found == LabelIssues(test=1, file=str(tmp_path / 'a.csv'))
    assert found.describe() == '1 suspected error in test'


def test_table_is_empty_when_no_label_is_suspected(tmp_path: pathlib.Path) -> None:
    folders = [write(tmp_path / 'a', [], 'train', 'val', 'test')]
    found = join_label_issues(folders, tmp_path / 'a.csv')
    assert found is not None
    assert found.describe() == '0 suspected errors'
    assert parse_table((tmp_path / 'a.csv').read_bytes()) == []


def test_nothing_is_written_when_no_artifact_has_a_table(tmp_path: pathlib.Path) -> None:
    assert join_label_issues([str(tmp_path / 'old')], tmp_path / 'new' / 'a.csv') is None
    assert list(tmp_path.iterdir()) == []


def test_error_is_raised_when_a_table_is_damaged(tmp_path: pathlib.Path) -> None:
    folder = write(tmp_path / 'a', TEST, 'test')
    (tmp_path / 'a' / TABLE_FILE).write_text('rank\n')
    with pytest.raises(ValueError, match='not a table of label issues'):
        join_label_issues([folder], tmp_path / 'a.csv')
    assert not (tmp_path / 'a.csv').exists()


def test_first_rows_of_all_tables_are_shown_when_summaries_are_merged() -> None:
    def summary(split: str, *probabilities: float) -> IssueSummary:
        issues = [LabelIssue(split, 'a.csv', 1, 'neg', 'pos', p) for p in probabilities]
        shown = [ShownIssue(issue=each, text='', cut=False) for each in issues]
        return IssueSummary(counts={split: len(issues)}, shown=shown)

    merged = merge_summaries([summary('train', *([0.9] * 15)), summary('test', *([0.8] * 15))])
    assert merged.counts == {'train': 15, 'test': 15}
    assert [each.issue.split for each in merged.shown] == ['train'] * 15 + ['test'] * 5


def test_numbers_are_kept_when_a_record_is_loaded(tmp_path: pathlib.Path) -> None:
    issues = LabelIssues(test=3, file='runs/reports/1.label_issues.csv')
    outcome = RunOutcome(
        run_id='1', outcome='pushed', name='sentiment', data='data', label_issues=issues
    )
    save_record(outcome, tmp_path)
    assert load_outcome(tmp_path) == outcome
    stored = json.loads((tmp_path / 'records' / '1.json').read_text())
    assert stored['label_issues'] == {
        'train': None,
        'val': None,
        'test': 3,
        'file': 'runs/reports/1.label_issues.csv',
    }
    del stored['label_issues']
    (tmp_path / 'records' / '1.json').write_text(json.dumps(stored))
    assert load_outcome(tmp_path).label_issues is None
