"""Whole runs with the same data and settings give the same result."""

from __future__ import annotations

import csv
import functools
import pathlib
import random
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import SAMPLE, Finished, run_command
from tests.torture.conftest import Tally

# Probabilities are float32, and their last bits depend on the other texts of a batch. Therefore
# metrics depend on the order of the rows. Weights do not.
METRICS_TOLERANCE = {
    'one thread in place of two': 0.0,
    'rows in another order, three files, more shards': 1e-7,
}


def run(
    data: pathlib.Path, root: pathlib.Path, preset: str, threads: int, *options: str
) -> Finished:
    """Run below `root` with this number of threads."""
    command = ['run', '--data', str(data), '--preset', preset, '--root', str(root), '--json']
    with pytest.MonkeyPatch.context() as environment:
        libraries = ('TF_NUM_INTRAOP', 'TF_NUM_INTEROP', 'OPENBLAS_NUM', 'OMP_NUM')
        for name in (f'{library}_THREADS' for library in libraries):
            environment.setenv(name, str(threads))
        done = run_command(*command, *options, cwd=root.parent)
    assert done.code == 0, done.err
    return done


def differences(one: Finished, other: Finished) -> tuple[float, float]:
    """Return the largest difference of a weight, and the largest difference of a metric."""
    readers = [
        tf.train.load_checkpoint(f'{done.json["pushed"]["path"]}/variables/variables')
        for done in (one, other)
    ]
    types = readers[0].get_variable_to_dtype_map()
    names = [name for name, kind in types.items() if kind.is_floating]
    ours, theirs = ([reader.get_tensor(name) for name in names] for reader in readers)
    assert any(np.std(weights) > 0 for weights in ours)
    assert [weights.shape for weights in ours] == [weights.shape for weights in theirs]
    weights = max(float(np.abs(a - b).max(initial=0)) for a, b in zip(ours, theirs))
    metrics = [done.json['metrics'] for done in (one, other)]
    assert metrics[0].keys() == metrics[1].keys()
    return weights, max(abs(metrics[0][name] - metrics[1][name]) for name in metrics[0])


def in_another_order(folder: pathlib.Path) -> pathlib.Path:
    """Write the rows of the sample in another order to three files."""
    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    random.Random(5).shuffle(rows)
    folder.mkdir()
    for number, part in enumerate((rows[:100], rows[100:1_500], rows[1_500:])):
        with open(folder / f'{number}.csv', 'w', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(part)
    return folder


@pytest.fixture(scope='module')
def first(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Finished]:
    """Return the first run of a preset on the sample."""
    return functools.cache(
        lambda preset: run(SAMPLE, tmp_path_factory.mktemp(preset) / 'runs', preset, 2)
    )


@pytest.mark.parametrize('fault', METRICS_TOLERANCE)
@pytest.mark.parametrize('preset', ['ngram', 'accurate', 'tutorial'])
def test_weights_and_metrics_are_the_same_when_the_sample_is_run_again(
    preset: str,
    fault: str,
    first: Callable[[str], Finished],
    tmp_path: pathlib.Path,
    tally: Tally,
) -> None:
    if fault.startswith('rows'):
        data = in_another_order(tmp_path / 'data')
        again = run(data, tmp_path / 'again', preset, 2, '--set', 'data.shard_mib=1')
        (examples,) = (tmp_path / 'again' / 'artifacts').glob('*/ExampleGen/examples/*')
        assert len(list((examples / 'Split-train').iterdir())) > 1
    else:
        again = run(SAMPLE, tmp_path / 'again', preset, 1)
    weights, metrics = differences(first(preset), again)
    changed = weights != 0 or metrics > METRICS_TOLERANCE[fault]
    tally(fault=f'the sample again, {fault} ({preset})', runs=1, faults=1, losses=int(changed))
    assert weights == 0
    assert metrics <= METRICS_TOLERANCE[fault]


def test_weights_and_metrics_are_the_same_when_imdb_is_run_again(
    imdb_archive: pathlib.Path, tmp_path: pathlib.Path, tally: Tally
) -> None:
    first = run(imdb_archive, tmp_path / 'first', 'accurate', 2)
    again = run(imdb_archive, tmp_path / 'again', 'accurate', 1)
    weights, metrics = differences(first, again)
    fault = 'IMDB again, one thread in place of two (accurate)'
    tally(fault=fault, runs=1, faults=1, losses=int(weights != 0 or metrics != 0))
    assert (weights, metrics) == (0, 0)
