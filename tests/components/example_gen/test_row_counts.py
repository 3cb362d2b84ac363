"""Tests of the checks for lost rows and for data that is not fit for training."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from components.common import features
from components.common.errors import ComponentError, DataError
from components.common.settings import ColumnSettings
from components.example_gen import workers
from components.example_gen.row_counts import NodeResult, require_complete, summarize
from tests.components.example_gen import test_workers
from tests.components.example_gen.test_workers import make_writer, write_bundle, write_tables

Found = list[workers.BundleResult]


def publish(folder: pathlib.Path, spoil: Callable[[Found], Found]) -> NodeResult:
    """Write four tables as two bundles, do something to them, and publish."""
    batches = write_tables(folder, 4)
    writer = make_writer(folder)
    found = spoil([write_bundle(writer, batches[:2]), write_bundle(writer, batches[2:])])
    return NodeResult(**test_workers.publish(folder, found))


def lose_a_shard(found: Found) -> Found:
    pathlib.Path(found[0].shards['test'][0].path).unlink()
    return found


def cut_a_shard(found: Found) -> Found:
    path = pathlib.Path(found[1].shards['test'][0].path)
    path.write_bytes(path.read_bytes()[:-10])
    return found


def lose_the_rejects(found: Found) -> Found:
    pathlib.Path(found[0].shards['rejects'][0].path).unlink()
    return found


def count_a_row_twice(found: Found) -> Found:
    counts = {key: count + (key[1] == '1pos') for key, count in found[0].counts.items()}
    return [found[0]._replace(counts=counts), found[1]]


@pytest.mark.parametrize('name', ['plain', 'a[1]'])
def test_check_passes_when_all_rows_are_published(name: str, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    published = publish(folder, lambda found: found)
    assert (published.files, published.rows) == (4, 80)
    require_complete(published, files=4, uri=str(folder / 'out'))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda found: found[1:], 'expected 4 files, got 2$'),
        (lambda found: [*found, found[0]], 'expected 4 files, got 6$'),
        (lose_a_shard, r'expected \d+ bytes in .*/Split-test/data_.*00000-of-00002.gz, got none$'),
        (cut_a_shard, r'expected \d+ bytes in .*/Split-test/data_.*00001-of-00002.gz, got \d+$'),
        (lose_the_rejects, r'expected \d+ bytes in .*/report/rejects-00000-of-.*, got none$'),
        (count_a_row_twice, 'expected 80 rows to be examples or rejects, got 81$'),
    ],
)
def test_check_fails_when_rows_are_lost_or_counted_twice(
    spoil: Callable[[Found], Found], message: str, tmp_path: pathlib.Path
) -> None:
    published = publish(tmp_path, spoil)
    with pytest.raises(ComponentError, match=f'^ExampleGen: {message}'):
        require_complete(published, files=4, uri=str(tmp_path / 'out'))


def test_check_fails_when_a_shard_exists_twice(tmp_path: pathlib.Path) -> None:
    published = publish(tmp_path, lambda found: found)
    shard = min((tmp_path / 'out' / 'Split-test').iterdir())
    shutil.copyfile(shard, shard.with_name('copy-of-it.gz'))
    with pytest.raises(ComponentError, match=r'expected no bytes in .*copy-of-it.gz, got \d+$'):
        require_complete(published, files=4, uri=str(tmp_path / 'out'))


def counts(
    *, rejected: dict[str, int] | None = None, **splits: dict[str, int]
) -> dict[tuple[str, str], int]:
    """Return the counts of the workers; `0neg` is the spelling neg of the value 0."""
    full = {split: {'0neg': 10, '1pos': 10} for split in features.SPLITS} | splits
    named = {(split, label): n for split, labels in full.items() for label, n in labels.items()}
    return named | {('rejects', reason): n for reason, n in (rejected or {}).items()}


@pytest.mark.parametrize(
    ('bad', 'limit', 'allowed'),
    [
        (0, 0.0, True),
        (0, 1.0, True),
        (60, 50.0, True),
        (540, 90.0, True),
        (6_000, 100.0, True),
        (15, 20.0, True),
        (1, 0.0, False),
        (1, 1.0, False),
        (61, 50.0, False),
        (541, 90.0, False),
    ],
)
def test_rejects_are_refused_when_their_share_is_above_the_limit(
    bad: int, limit: float, allowed: bool
) -> None:
    columns = ColumnSettings(max_rejected_percent=limit)
    found = counts(rejected={'no label': bad})
    if allowed:
        assert summarize(found, columns).rejects == bad
    else:
        with pytest.raises(DataError, match=rf'{bad} of {bad + 60} rows .*\({bad} no label\)'):
            summarize(found, columns)


ONE_CLASS = {('train', '1pos'): 30, ('val', '1pos'): 9, ('test', '1pos'): 1_000}


@pytest.mark.parametrize(
    ('found', 'columns', 'message', 'hint'),
    [
        (
            counts(rejected={'no label': 2_000, 'empty text': 1_000}),
            {'max_rejected_percent': 1},
            r'3,000 of 3,060 .*\(1,000 empty text, 2,000 no label\)',
            'max_rejected_percent',
        ),
        ({}, {}, 'the data holds no labelled text', '--data'),
        ({('rejects', 'no label'): 9}, {}, 'the data holds no labelled text', '--data'),
        (ONE_CLASS, {}, r"all labels are the same: 'pos' \(1,039\)", 'both labels'),
        (ONE_CLASS, {'positive_label': 'pos'}, 'all labels are the same', 'both labels'),
        (
            {('train', '0pos'): 30, ('test', '0neg'): 20},
            {'positive_label': 'good'},
            r"no row has the positive label 'good'; the labels are 'pos' \(30\), 'neg' \(20\)",
            '--positive-label',
        ),
        (
            counts(val={}),
            {'group_column': 'film'},
            "the split 'val' has no examples$",
            "there are 3 values of 'film', whose rows share a split: add rows with other values",
        ),
        *(
            (counts(**{split: labels}), {}, f"the split '{split}' {message}", 'both labels')
            for split in features.SPLITS
            for labels, message in (
                ({}, 'has no examples$'),
                ({'0neg': 1_000}, 'has 1,000 examples, all negative'),
                ({'1pos': 7}, 'has 7 examples, all positive'),
                ({'1pos': 1}, 'has 1 example, all positive'),
            )
        ),
    ],
)
def test_data_is_refused_when_it_lacks_labels_or_has_too_many_rejects(
    found: dict[tuple[str, str], int], columns: dict[str, Any], message: str, hint: str
) -> None:
    settings = ColumnSettings(**{'max_rejected_percent': 100, **columns})
    with pytest.raises(DataError, match=message) as caught:
        summarize(found, settings, groups=(3, 0))
    assert hint in caught.value.hint


def test_most_frequent_spelling_names_the_label_when_spellings_differ() -> None:
    summary = summarize(
        counts(test={'0Neg': 50, '0neg': 1, '1pos': 1, '1POS': 20}),
        ColumnSettings(positive_label='pos'),
    )
    assert summary.labels == ('Neg', 'pos')
    assert summary.splits == {'train': (10, 10), 'val': (10, 10), 'test': (51, 21)}
