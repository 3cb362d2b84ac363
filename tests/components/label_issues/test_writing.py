from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.example_gen.origins import OriginBuffer
from components.label_issues.table import (
    SUMMARY_FILE,
    TABLE_FILE,
    IssueSummary,
    LabelIssue,
    parse_table,
    read_summary,
)
from components.label_issues.writing import ScoredSplit, write_label_issues
from tests.components.trainer.tiny import make_example

NAMES = ('bad', 'good')
SHARDS, PER_SHARD = 3, 500
EXAMPLES = SHARDS * PER_SHARD
# Positions of wrong labels, one in each shard, and two copies of one text.
WRONG = (3, 700, 1_499)


def text_at(row: int) -> str:
    return f'text {row} ' + 'word ' * (500 if row == 700 else 1)


def write_examples(uri: str, split: str, *, origins: bool = True) -> None:
    """Write a split in shards; the example at a position comes from line position + 2."""
    for folder in (f'Split-{split}', 'report'):
        tf.io.gfile.makedirs(f'{uri}/{folder}')
    for shard in range(SHARDS):
        buffer = OriginBuffer()
        number = f'{shard:05}-of-{SHARDS:05}'
        with tf.io.TFRecordWriter(
            f'{uri}/Split-{split}/data_tfrecord-{number}.gz', 'GZIP'
        ) as writer:
            for row in range(shard * PER_SHARD, (shard + 1) * PER_SHARD):
                writer.write(make_example(text_at(row), row % 2))
                buffer.add(f'{split}.csv:{row + 2}')
        if origins:
            path = f'{uri}/report/origins-{split}-{number}.txt.gz'
            with tf.io.gfile.GFile(path, 'wb') as file:
                file.write(buffer.content())


def score(first: float, wrong: tuple[int, ...] = WRONG) -> ScoredSplit:
    """Return scores in another order than that of the files; those of wrong labels differ."""
    rows = np.random.default_rng(int(first)).permutation(EXAMPLES)
    labels = (rows % 2).astype(np.float32)
    probabilities = np.where(labels == 1, 0.9, 0.1).astype(np.float32)
    for index, row in enumerate(wrong):
        at = rows == row
        probabilities[at] = np.abs((1 - labels[at]) - 0.001 * (index + first))
    return ScoredSplit(labels, probabilities, rows)


def read(folder: str) -> tuple[list[LabelIssue], IssueSummary]:
    """Read the table and the summary, from any store."""
    with tf.io.gfile.GFile(f'{folder}/{TABLE_FILE}', 'rb') as file:
        issues = parse_table(file.read())
    with tf.io.gfile.GFile(f'{folder}/{SUMMARY_FILE}') as file:
        content = file.read()
    local = pathlib.Path(folder.replace('ram:/', '')) / 'copy'
    (local / SUMMARY_FILE).parent.mkdir(parents=True, exist_ok=True)
    (local / SUMMARY_FILE).write_text(content)
    summary = read_summary(str(local))
    assert summary is not None
    return issues, summary


@pytest.mark.parametrize('store', ['', 'ram:/'])
def test_issues_have_line_label_and_text_when_splits_have_shards(
    store: str, tmp_path: pathlib.Path
) -> None:
    uri = f'{store}{tmp_path}/examples'
    for split in ('train', 'val'):
        write_examples(uri, split)
    scored = {'train': score(1), 'val': score(2.5, WRONG[1:2])}
    write_label_issues(f'{store}{tmp_path}/run', uri, scored, NAMES)
    issues, summary = read(f'{store}{tmp_path}/run')
    expected = [
        LabelIssue('train', 'train.csv', 5, 'good', 'bad', 0.001),
        LabelIssue('train', 'train.csv', 702, 'bad', 'good', 0.998),
        LabelIssue('val', 'val.csv', 702, 'bad', 'good', 0.9975),
        LabelIssue('train', 'train.csv', 1_501, 'good', 'bad', 0.003),
    ]
    assert [issue._replace(probability=round(issue.probability, 4)) for issue in issues] == expected
    assert summary.counts == {'train': 3, 'val': 1}
    assert [each.issue.line for each in summary.shown] == [5, 702, 702, 1_501]
    assert [each.text for each in summary.shown] == [
        text_at(row)[:2_000] for row in (3, 700, 700, 1_499)
    ]
    assert [each.cut for each in summary.shown] == [False, True, True, False]
    assert 'text' not in str(issues)


def test_copies_of_a_text_are_listed_each_when_their_labels_contradict_it(
    tmp_path: pathlib.Path,
) -> None:
    write_examples(str(tmp_path / 'examples'), 'test')
    scored = score(1, ())
    for row in (10, 12, 14, 15):  # three are labelled 0, and one is labelled 1
        scored.probabilities[scored.rows == row] = 0.97
    write_label_issues(str(tmp_path), str(tmp_path / 'examples'), {'test': scored}, NAMES)
    issues, _ = read(str(tmp_path))
    assert [(issue.line, issue.given) for issue in issues] == [
        (12, 'bad'),
        (14, 'bad'),
        (16, 'bad'),
    ]


def test_place_is_the_row_of_the_split_when_examples_have_no_origins(
    tmp_path: pathlib.Path,
) -> None:
    write_examples(str(tmp_path / 'examples'), 'test', origins=False)
    write_label_issues(str(tmp_path), str(tmp_path / 'examples'), {'test': score(1)}, NAMES)
    issues, summary = read(str(tmp_path))
    assert [(issue.file, issue.line) for issue in issues] == [('', row + 1) for row in WRONG]
    assert [each.text[:8] for each in summary.shown] == ['text 3 w', 'text 700', 'text 149']


def test_texts_of_only_the_first_issues_are_kept_when_there_are_many(
    tmp_path: pathlib.Path,
) -> None:
    write_examples(str(tmp_path / 'examples'), 'test')
    scored = score(1, tuple(range(0, 1_000, 20)))
    write_label_issues(str(tmp_path), str(tmp_path / 'examples'), {'test': scored}, NAMES)
    issues, summary = read(str(tmp_path))
    assert summary.counts['test'] == len(issues) > 20
    assert [each.issue.line for each in summary.shown] == [issue.line for issue in issues[:20]]
    for each in summary.shown:
        assert each.text == text_at((each.issue.line or 0) - 2)


def test_table_is_empty_when_nothing_is_suspected(tmp_path: pathlib.Path) -> None:
    write_examples(str(tmp_path / 'examples'), 'test')
    write_label_issues(str(tmp_path), str(tmp_path / 'examples'), {'test': score(1, ())}, NAMES)
    assert read(str(tmp_path)) == ([], IssueSummary(counts={'test': 0}, shown=[]))


def test_nothing_is_written_when_no_split_has_scores(tmp_path: pathlib.Path) -> None:
    write_label_issues(str(tmp_path), str(tmp_path / 'examples'), {}, NAMES)
    assert list(tmp_path.iterdir()) == []
