"""Same in, same out, by whole runs in processes of their own."""

from __future__ import annotations

import csv
import os
import pathlib
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import REPO, SAMPLE, Finished
from tests.torture.conftest import Tally

# The largest difference of a weight; see the README.
TOLERANCE = 0.0


def run(data: pathlib.Path, root: pathlib.Path, preset: str, threads: int) -> Finished:
    """Run with so many threads, below a root of its own."""
    command = ['run', '--data', str(data), '--preset', preset, '--root', str(root), '--json']
    environment = {
        'TF_NUM_INTRAOP_THREADS': str(threads),
        'TF_NUM_INTEROP_THREADS': str(threads),
    }
    done = subprocess.run(
        [sys.executable, str(REPO / 'pipeline_runner.py'), *command],
        cwd=root.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return Finished(done.returncode, done.stdout, done.stderr)


def differences(one: Finished, other: Finished) -> tuple[float, list[str]]:
    """Return the largest difference of a weight, and the metrics that are not the same."""
    readers = [
        tf.train.load_checkpoint(f'{done.json["pushed"]["path"]}/variables/variables')
        for done in (one, other)
    ]
    names = [
        name
        for name, kind in readers[0].get_variable_to_dtype_map().items()
        if kind.is_floating
    ]
    assert names
    ours, theirs = ([reader.get_tensor(name) for name in names] for reader in readers)
    assert any(np.std(weights) > 0 for weights in ours)
    largest = max(
        float(np.abs(a - b).max(initial=0)) if a.shape == b.shape else np.inf
        for a, b in zip(ours, theirs)
    )
    metrics = [done.json['metrics'] for done in (one, other)]
    return largest, [name for name in metrics[0] if metrics[0][name] != metrics[1][name]]


def in_another_order(folder: pathlib.Path) -> pathlib.Path:
    """Write the sample's rows in another order, to three files."""
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


@pytest.mark.parametrize('preset', ['ngram', 'accurate', 'tutorial'])
def test_weights_and_metrics_are_the_same_when_the_sample_is_run_again(
    preset: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    first = run(SAMPLE, tmp_path / 'first', preset, threads=2)
    again = run(in_another_order(tmp_path / 'data'), tmp_path / 'again', preset, threads=1)
    largest, changed = differences(first, again)
    tally(
        fault=f'rows in another order and in three files, one thread in place of two ({preset})',
        runs=2,
        faults=1,
        losses=int(largest > TOLERANCE or bool(changed)),
    )
    assert largest <= TOLERANCE
    assert not changed, (first.json['metrics'], again.json['metrics'])


def test_weights_and_metrics_are_the_same_when_imdb_is_run_again(
    imdb_archive: pathlib.Path, tmp_path: pathlib.Path, tally: Tally
) -> None:
    first = run(imdb_archive, tmp_path / 'first', 'ngram', threads=2)
    again = run(imdb_archive, tmp_path / 'again', 'ngram', threads=1)
    largest, changed = differences(first, again)
    tally(
        fault='IMDB again, one thread in place of two (ngram)',
        runs=2,
        faults=1,
        losses=int(largest > TOLERANCE or bool(changed)),
    )
    assert largest <= TOLERANCE
    assert not changed, (first.json['metrics'], again.json['metrics'])
