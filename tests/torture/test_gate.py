"""Whole runs on data, and with bounds, that must not lead to a push."""

from __future__ import annotations

import csv
import pathlib
import random
import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.conftest import SAMPLE, Finished, run_command, snapshot
from tests.torture.conftest import Tally

NOT_BLESSED, DATA, USAGE = 3, 4, 2
Row = dict[str, str]


class Home(NamedTuple):
    """A folder in which a good model was pushed.

    Attributes:
        folder: Where commands are typed.
        rows: What the model was learned from.
    """

    folder: pathlib.Path
    rows: list[Row]

    @property
    def serving(self) -> pathlib.Path:
        """What is served of all names."""
        return self.folder / 'runs' / 'serving'

    def run(self, rows: list[Row], *args: str) -> Finished:
        """Run on these rows."""
        data = self.folder / 'delivery.csv'
        with open(data, 'w', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
        return run_command('run', '--data', str(data), '--json', *args, cwd=self.folder)


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    home = Home(tmp_path_factory.mktemp('home'), rows)
    done = home.run(rows)
    assert done.code == 0, done.err
    return home


def other(label: str) -> str:
    return {'positive': 'negative', 'negative': 'positive'}[label]


def shuffled(rows: list[Row]) -> list[Row]:
    labels = [row['label'] for row in rows]
    random.Random(3).shuffle(labels)
    return [{**row, 'label': label} for row, label in zip(rows, labels)]


def inverted(rows: list[Row]) -> list[Row]:
    return [{**row, 'label': other(row['label'])} for row in rows]


def unbalanced(rows: list[Row]) -> list[Row]:
    """Label by chance, nine of ten positive."""
    rng = random.Random(4)
    labels = (rng.choices(['positive', 'negative'], [9, 1])[0] for _ in rows)
    return [{**row, 'label': label} for row, label in zip(rows, labels)]


def constant(rows: list[Row]) -> list[Row]:
    """Say the same in all of them, nine of ten positive: no model can tell one from the other."""
    splits = ('train', 'train', 'val', 'test')
    return [
        {**row, 'text': 'A film.', 'split': splits[number // 10 % 4]}
        for number, row in enumerate(unbalanced(rows))
    ]


def with_split(rows: list[Row]) -> list[Row]:
    return [
        {**row, 'split': ('train', 'train', 'val', 'test')[number % 4]}
        for number, row in enumerate(rows)
    ]


def without_test(rows: list[Row]) -> list[Row]:
    return [row for row in with_split(rows) if row['split'] != 'test']


def one_class(rows: list[Row]) -> list[Row]:
    return [
        row for row in with_split(rows) if row['split'] != 'test' or row['label'] == 'positive'
    ]


SPLIT = ('--split-column', 'split')
# Elsewhere there is a baseline; these runs have another name and no baseline.
ALONE = ('--name', 'other')


@pytest.mark.parametrize(
    ('fault', 'attack', 'args', 'code', 'expected'),
    [
        ('labels shuffled', shuffled, (), NOT_BLESSED, 'binary_accuracy'),
        ('all labels inverted after a good run', inverted, (), NOT_BLESSED, 'baseline_auc'),
        ('labels by chance, nine of ten positive', unbalanced, ALONE, NOT_BLESSED, 'auc'),
        ('all texts alike, nine of ten positive', constant, (*ALONE, *SPLIT), NOT_BLESSED, 'auc'),
        ('no test split', without_test, SPLIT, DATA, "the split 'test' has no examples"),
        ('a test split of one class', one_class, SPLIT, DATA, 'all positive'),
    ],
)
def test_serving_folder_is_unchanged_when_the_data_is_an_attack(
    fault: str,
    attack: Callable[[list[Row]], list[Row]],
    args: tuple[str, ...],
    code: int,
    expected: str,
    home: Home,
    tally: Tally,
) -> None:
    before = snapshot(home.serving)
    done = home.run(attack(home.rows), *args)
    lost = snapshot(home.serving) != before
    tally(fault=f'gate: {fault}', runs=1, faults=1, losses=int(lost))
    assert not lost
    assert done.code == code, done.err
    if code == NOT_BLESSED:
        missed = {check['metric'] for check in done.json['thresholds'] if not check['passed']}
        assert expected in missed
        if expected == 'auc':
            assert missed == {'auc'}  # its accuracy passes its bound
        if expected == 'baseline_auc':
            assert missed == {'baseline_auc'}
            assert 'the labels may be swapped' in ' '.join(done.err.split())
    else:
        assert expected in done.err


def test_worse_model_is_not_pushed_in_a_new_root_or_without_metadata(
    home: Home, tally: Tally
) -> None:
    # Learned from few reviews: above all bounds, but worse than what is served.
    fewer = ('--set', 'trainer.model.min_ngram_documents=60', '--set', 'gate.min_accuracy=0.5')
    served = ('--serving-dir', str(home.serving / 'sentiment'))
    before = snapshot(home.serving)
    elsewhere = home.folder / 'elsewhere'
    runs = [home.run(home.rows, *fewer, *served, '--root', str(elsewhere))]
    for name in ('metadata.sqlite', 'metadata.copy.sqlite'):
        (elsewhere / name).unlink()
    runs.append(home.run(home.rows, *fewer, *served, '--root', str(elsewhere)))
    lost = snapshot(home.serving) != before
    tally(
        fault='gate: a worse model in a new root, and after all metadata was lost',
        runs=len(runs),
        faults=sum('the baseline is version ' in done.err for done in runs),
        losses=int(lost),
    )
    assert not lost
    for done in runs:
        assert done.code == NOT_BLESSED, done.err
        assert 'the baseline is version ' in done.err
        missed = [check['bound'] for check in done.json['thresholds'] if not check['passed']]
        assert len(missed) == 1
        assert missed[0].endswith('(baseline)')


def test_equal_model_is_pushed_when_it_is_trained_again_in_a_new_root(home: Home) -> None:
    serving = shutil.copytree(home.serving / 'sentiment', home.folder / 'served')
    root = home.folder / 'third'
    same = home.run(home.rows, '--serving-dir', str(serving), '--root', str(root))
    assert same.code == 0, same.err
    # Its saved_model.pb differs from the one that is served, its weights do not.
    assert same.json['baseline']['binary_accuracy'] == same.json['metrics']['binary_accuracy']


BOUNDS = ('min_accuracy', 'max_accuracy_drop', 'min_auc', 'min_baseline_auc')


def test_serving_folder_is_unchanged_when_bounds_are_missing_or_not_numbers(
    home: Home, tally: Tally
) -> None:
    before = snapshot(home.serving)
    values = ['', 'null', '.nan', '.inf', '-.inf', '-1', '2', 'high']
    settings = [f'gate.{name}={value}' for name in BOUNDS for value in values[::2]]
    settings += ['gate.min_auc=0.5', 'gate.slices={"1-10": .nan}', 'gate={}', 'gate=']
    refused = 0
    for setting in settings:
        done = home.run(home.rows[:50], '--set', setting)
        refused += done.code == USAGE and 'gate' in done.err
        assert done.code == USAGE, (setting, done.code, done.err)
    lost = snapshot(home.serving) != before
    tally(
        fault='gate: bounds missing, NaN, infinite, out of range',
        runs=len(settings),
        faults=refused,
        losses=int(lost),
    )
    assert not lost
    assert refused == len(settings)
