"""Whole runs with data or bounds with which nothing may be pushed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable

import pytest

from tests.conftest import run_command, snapshot
from tests.torture.conftest import Tally
from tests.torture.deliveries import (
    DATA,
    NOT_BLESSED,
    SPLIT,
    USAGE,
    Home,
    Rows,
    first_delivery,
    split_rows,
)


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return first_delivery(tmp_path_factory.mktemp('home'))


def shuffle(rows: Rows) -> Rows:
    labels = [row['label'] for row in rows]
    random.Random(3).shuffle(labels)
    return [{**row, 'label': label} for row, label in zip(rows, labels)]


def invert(rows: Rows) -> Rows:
    other = {'positive': 'negative', 'negative': 'positive'}
    return [{**row, 'label': other[row['label']]} for row in rows]


def unbalance(rows: Rows) -> Rows:
    """Label at random, nine of ten positive."""
    rng = random.Random(4)
    labels = (rng.choices(['positive', 'negative'], [9, 1])[0] for _ in rows)
    return [{**row, 'label': label} for row, label in zip(rows, labels)]


def make_alike(rows: Rows) -> Rows:
    """Make all texts equal, nine of ten positive: no model can distinguish them."""
    return [{**row, 'text': 'A film.'} for row in split_rows(unbalance(rows), 10)]


def add_test_to_train(rows: Rows) -> Rows:
    """Add all texts of test to train."""
    found = split_rows(rows)
    return [*found, *({**row, 'split': 'train'} for row in found if row['split'] == 'test')]


def add_test_in_other_spelling(rows: Rows) -> Rows:
    """Add all texts of test to train, with other case, spaces and punctuation."""
    return [
        {**row, 'text': f'"{row["text"].upper().replace(" ", "  ").rstrip(".")}"\u2026 @you'}
        if number >= len(rows)
        else row
        for number, row in enumerate(add_test_to_train(rows))
    ]


def drop_test(rows: Rows) -> Rows:
    return [row for row in split_rows(rows) if row['split'] != 'test']


def keep_positives_of_test(rows: Rows) -> Rows:
    return [row for row in split_rows(rows) if row['split'] != 'test' or row['label'] == 'positive']


OVERLAP = 'test_overlap_percent'
TUNED = ('--set', 'trainer.threshold=tuned', '--set', 'trainer.threshold_aim=accuracy')
# With another name, a run has no baseline.
ALONE = ('--name', 'other')


@pytest.mark.parametrize(
    ('fault', 'attack', 'args', 'code', 'expected'),
    [
        ('labels shuffled', shuffle, (), NOT_BLESSED, 'binary_accuracy'),
        ('all labels inverted after a good run', invert, (), NOT_BLESSED, 'baseline_auc'),
        ('labels by chance, nine of ten positive', unbalance, ALONE, NOT_BLESSED, 'auc'),
        (
            'labels by chance, nine of ten positive, tuned threshold',
            unbalance,
            (*ALONE, *TUNED),
            NOT_BLESSED,
            'auc',
        ),
        (
            'all texts alike, nine of ten positive',
            make_alike,
            (*ALONE, *SPLIT, '--set', 'gate.max_test_overlap_percent=100'),
            NOT_BLESSED,
            'auc',
        ),
        ('test in train', add_test_to_train, (*ALONE, *SPLIT), NOT_BLESSED, OVERLAP),
        (
            'test in train, in another spelling',
            add_test_in_other_spelling,
            (*ALONE, *SPLIT),
            NOT_BLESSED,
            OVERLAP,
        ),
        ('no test split', drop_test, SPLIT, DATA, "the split 'test' has no examples"),
        ('a test split of one class', keep_positives_of_test, SPLIT, DATA, 'all positive'),
    ],
)
def test_serving_folder_is_unchanged_when_the_data_is_an_attack(
    fault: str,
    attack: Callable[[Rows], Rows],
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
        if expected == OVERLAP:
            assert missed == {OVERLAP}
            assert 'remove the texts from test' in ' '.join(done.err.split())
        if expected == 'auc':
            assert missed == {'auc'}  # The accuracy meets its bound.
        if expected == 'baseline_auc':
            assert missed == {'baseline_auc'}
            assert 'the labels may be swapped' in ' '.join(done.err.split())
    else:
        assert expected in done.err


def test_worse_model_is_not_pushed_in_a_new_root_or_without_metadata(
    home: Home, tally: Tally
) -> None:
    # Trained on few n-grams: above all bounds, but worse than the live version.
    fewer = ('--set', 'trainer.model.min_ngram_documents=60', '--set', 'gate.min_accuracy=0.5')
    elsewhere = home.folder / 'elsewhere'
    args = (*fewer, '--serving-dir', str(home.serving / 'sentiment'), '--root', str(elsewhere))
    before = snapshot(home.serving)
    runs = [home.run(home.rows, *args)]
    for name in ('metadata.sqlite', 'metadata.copy.sqlite'):
        (elsewhere / name).unlink()
    runs.append(home.run(home.rows, *args))
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
        (missed,) = [check for check in done.json['thresholds'] if not check['passed']]
        assert missed['bound'].endswith('(baseline)')


def test_live_model_is_not_pushed_again_when_it_is_trained_in_a_new_root(home: Home) -> None:
    serving = shutil.copytree(home.serving / 'sentiment', home.folder / 'served')
    before = snapshot(serving)
    root = home.folder / 'third'
    same = home.run(home.rows, '--serving-dir', str(serving), '--root', str(root))
    assert same.code == 0, same.err
    # It computes the same as the live version. Its saved_model.pb has other bytes.
    assert same.json['baseline'] is None
    assert snapshot(serving) == before


def test_withdrawn_model_is_not_pushed_when_it_is_trained_again(home: Home, tally: Tally) -> None:
    name = ('--name', 'withdrawn')
    for settings in (('--set', 'trainer.seed=2'), ()):
        pushed = home.run(home.rows, *name, *settings)
        assert pushed.json['outcome'] == 'pushed', pushed.err
    back = run_command('models', 'rollback', *name, cwd=home.folder)
    assert back.code == 0, back.err
    before = snapshot(home.serving)
    others = random.Random(6).sample(home.rows, len(home.rows))
    runs = [
        home.run(home.rows, *name, '--again', 'Trainer'),
        home.run(home.rows, *name, '--again', 'ExampleGen'),
        home.run(others, *name),
        home.run(others, *name, '--root', 'fourth', '--serving-dir', 'runs/serving/withdrawn'),
    ]
    lost = snapshot(home.serving) != before
    tally(
        fault='gate: a withdrawn model comes back by another training',
        runs=len(runs),
        faults=sum(done.states()['Trainer'] == 'executed' for done in runs),
        losses=int(lost),
    )
    assert not lost
    for done in runs:
        assert done.code == 0, done.err
        assert done.states()['Trainer'] == 'executed'
        assert done.json['outcome'] == 'withdrawn'
        assert done.json['withdrawn']['version'] == pushed.json['pushed']['version']


BOUNDS = ('min_accuracy', 'max_accuracy_drop', 'min_auc', 'min_baseline_auc')


def test_serving_folder_is_unchanged_when_bounds_are_missing_or_not_numbers(
    home: Home, tally: Tally
) -> None:
    before = snapshot(home.serving)
    values = ['', 'null', '.nan', '.inf', '-.inf', '-1', '2', 'high']
    settings = [f'gate.{name}={value}' for name in BOUNDS for value in values[::2]]
    settings += [f'gate.max_{OVERLAP}={value}' for value in ('', '.nan', '-1', '101')]
    settings += ['gate.min_auc=0.5', 'gate.slices={"1-10": .nan}', 'gate={}', 'gate=']
    done = {setting: home.run(home.rows[:50], '--set', setting) for setting in settings}
    pushed = [s for s, run in done.items() if run.code != USAGE or 'gate' not in run.err]
    lost = snapshot(home.serving) != before
    tally(
        fault='gate: bounds missing, NaN, infinite, out of range',
        runs=len(settings),
        faults=len(settings) - len(pushed),
        losses=int(lost),
    )
    assert not lost
    assert not pushed
