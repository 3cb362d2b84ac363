"""Runs on growing data, each with the newest two spans."""

from __future__ import annotations

import pathlib

import pytest

from tests.conftest import NODES, Finished, call_command

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path


def add_span(home: pathlib.Path, name: str, first: int) -> None:
    file = home / 'reviews' / name / 'reviews.csv'
    file.parent.mkdir(parents=True)
    rows = [
        f'Film {n} was {"good fun" if n % 2 else "bad stuff"},{n % 2}'
        for n in range(first, first + 300)
    ]
    file.write_text('\n'.join(['text,label', *rows, '']))


def run(home: pathlib.Path, *args: str) -> Finished:
    pattern = 'reviews/span-{SPAN}/v-{VERSION}/reviews.csv'
    # Small: new examples show in the number of examples, not in the accuracy.
    small = ('--set', 'trainer.model.max_ngram=1', '--set', 'gate.min_accuracy=0.1')
    return call_command('run', '--data', pattern, '--spans', '2', *small, *args, cwd=home)


def test_newest_spans_are_trained_on_and_a_run_is_cached_when_none_is_new(
    home: pathlib.Path,
) -> None:
    add_span(home, 'span-9/v-1', 0)
    add_span(home, 'span-10/v-1', 300)
    both = run(home, '--json')
    assert both.code == 0, both.err
    assert both.json['spans'] == 'spans 9 to 10'
    assert '1/9  ExampleGen' in both.err
    assert 'spans 9 to 10: train ' in both.err

    # Neither is in the window: one is too old, one was replaced before.
    add_span(home, 'span-8/v-1', 900)
    add_span(home, 'span-9/v-0', 900)
    again = run(home)
    assert again.code == 0, again.err
    assert again.err.count('cached') == len(NODES)
    assert 'Nothing is new: data (spans 9 to 10), settings and code are those' in again.out

    add_span(home, 'span-11/v-1', 600)
    rolled = run(home, '--json')
    assert rolled.code == 0, rolled.err
    assert rolled.json['spans'] == 'spans 10 to 11'
    assert rolled.json['nothing_new'] is False
    assert rolled.json['baseline'] is not None
    assert rolled.states() == {
        node: 'cached' if node == 'SchemaGen' else 'executed' for node in NODES
    }
    assert rolled.json['config']['data']['spans'] == 2
