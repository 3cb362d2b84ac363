from __future__ import annotations

import collections

import pytest

from components.readers.records import assign_split

TEXTS = [f'Text number {number}.' for number in range(10_000)]


def split_of(
    text: str,
    split: str | None = None,
    *,
    test_percent: int = 20,
    val_percent: int = 20,
    split_train: bool = False,
    group: str = '',
) -> str:
    return assign_split(
        text,
        split,
        test_percent=test_percent,
        val_percent=val_percent,
        split_train=split_train,
        group=group,
    )


# A change of these moves texts between the splits of data that people have trained on.
@pytest.mark.parametrize(
    ('text', 'split'),
    [
        ('A fine film.', 'train'),
        ('Boring!', 'train'),
        ('Never again', 'train'),
        ('Great', 'test'),
        ('great', 'test'),
        ('!!!', 'test'),
        ('Quite good', 'val'),
        ('傑作', 'train'),
        ('Naïve, but 😀', 'test'),
        ('line one\nline two', 'train'),
    ],
)
def test_split_is_stable_when_the_text_is_equal(text: str, split: str) -> None:
    assert split_of(text) == split


@pytest.mark.parametrize(
    ('test_percent', 'val_percent', 'expected'),
    [
        (20, 20, {'train': 6448, 'val': 1589, 'test': 1963}),
        (1, 80, {'train': 1939, 'val': 7968, 'test': 93}),
        (80, 1, {'train': 1993, 'val': 23, 'test': 7984}),
        (50, 50, None),
        (1, 1, None),
    ],
)
def test_shares_are_near_the_settings_and_stable_when_texts_are_many(
    test_percent: int, val_percent: int, expected: dict[str, int] | None
) -> None:
    counts = collections.Counter(
        split_of(text, test_percent=test_percent, val_percent=val_percent) for text in TEXTS
    )
    assert expected is None or counts == expected
    learning = len(TEXTS) - counts['test']
    # Within four standard deviations of a fair draw, which is 2 % of all at most.
    assert counts['test'] / len(TEXTS) == pytest.approx(test_percent / 100, abs=0.02)
    assert counts['val'] / learning == pytest.approx(val_percent / 100, abs=0.045)


@pytest.mark.parametrize(
    ('split', 'split_train'), [('train', False), ('val', False), ('test', False), ('val', True)]
)
def test_split_is_kept_when_the_data_names_it(split: str, split_train: bool) -> None:
    kept = {split_of(t, split, test_percent=80, split_train=split_train) for t in TEXTS[:100]}
    assert kept == {split}


def test_train_rows_move_only_to_val_when_train_is_split() -> None:
    counts = collections.Counter(
        split_of(text, 'train', test_percent=80, val_percent=30, split_train=True) for text in TEXTS
    )
    assert set(counts) == {'train', 'val'}
    assert counts['val'] / len(TEXTS) == pytest.approx(0.3, abs=0.02)


def test_test_split_only_grows_when_its_share_grows() -> None:
    small, large = (
        {text for text in TEXTS if split_of(text, test_percent=percent) == 'test'}
        for percent in (10, 20)
    )
    assert small < large


@pytest.mark.parametrize(('split', 'split_train'), [(None, False), ('train', True)])
def test_texts_of_a_group_share_a_split_when_they_differ(
    split: str | None, split_train: bool
) -> None:
    groups = [f'film {number}' for number in range(200)]
    found = {
        group: {split_of(t, split, split_train=split_train, group=group) for t in TEXTS[:20]}
        for group in groups
    }
    assert {len(splits) for splits in found.values()} == {1}
    counts = collections.Counter(split for (split,) in found.values())
    assert counts['val'] / (200 - counts['test']) == pytest.approx(0.2, abs=0.1)
    assert counts['test'] / 200 == pytest.approx(0.2 if split is None else 0, abs=0.1)


def test_group_is_ignored_when_the_data_names_the_split() -> None:
    for split in ('train', 'val', 'test'):
        assert split_of('A fine film.', split, test_percent=80, group='film 1') == split


# As for texts: a change of these moves rows between splits.
@pytest.mark.parametrize(
    ('group', 'split'), [('5', 'train'), ('7', 'test'), ('b0001', 'train'), ('傑作', 'train')]
)
def test_split_is_stable_when_the_group_is_equal(group: str, split: str) -> None:
    assert split_of('A fine film.', group=group) == split
