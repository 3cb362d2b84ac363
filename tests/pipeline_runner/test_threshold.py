"""The decision threshold, end to end: one text in twenty is positive."""

from __future__ import annotations

import csv
import json
import pathlib
import random
import re
from typing import Any

import numpy as np
import pytest

from tests.conftest import Finished, call_command

# A threshold for a balanced accuracy costs accuracy.
OPTIONS = tuple(
    part
    for setting in (
        'data.columns.val_percent=30',
        'gate.min_accuracy=0.6',
        'gate.max_accuracy_drop=0.5',
    )
    for part in ('--set', setting)
)


@pytest.fixture(scope='module')
def tickets(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a table in which no text has a probability above 0.5 by right."""
    rng = random.Random(7)
    path = tmp_path_factory.mktemp('data') / 'tickets.csv'
    with open(path, 'w', newline='') as file:
        rows = csv.writer(file)
        rows.writerow(['text', 'label'])
        for number in range(3_000):
            urgent = number % 20 == 0
            words = [f'w{rng.randrange(300)}' for _ in range(12)]
            if rng.random() < (0.7 if urgent else 0.05):
                words.insert(rng.randrange(12), 'urgent')
            rows.writerow([' '.join([f'ticket{number}', *words]), 'yes' if urgent else 'no'])
    return path


def run(tickets: pathlib.Path, home: pathlib.Path, *args: str) -> Finished:
    return call_command('run', '--data', str(tickets), '--json', *OPTIONS, *args, cwd=home)


def recalls(outcome: dict[str, Any]) -> tuple[float, float]:
    """Return recall and specificity."""
    return outcome['metrics']['recall'], outcome['metrics']['specificity']


@pytest.mark.usefixtures('quick_smoke_tests')
def test_threshold_reaches_metrics_predictions_report_and_card_when_it_is_tuned(
    tickets: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    first = run(tickets, tmp_path)
    assert first.code == 0, first.err
    assert first.json['threshold'] == 0.5
    version = pathlib.Path(first.json['pushed']['path'])
    assert not (tmp_path / version / 'assets.extra' / 'threshold.json').exists()
    assert recalls(first.json)[0] < 0.2

    tuned = run(tickets, tmp_path, '--set', 'trainer.threshold=tuned')
    assert tuned.code == 0, tuned.err
    found = tuned.json
    states = tuned.states()
    assert states['Transform'] == 'cached'
    assert states['Trainer'] == states['Pusher'] == 'executed'
    # The weights are the same, but it is another model, and is pushed as such.
    assert found['pushed']['version'] != first.json['pushed']['version']
    assert (found['baseline_version'], found['baseline_threshold']) == (version.name, 0.5)
    assert found['metrics']['auc'] == first.json['metrics']['auc']
    extra = tmp_path / found['pushed']['path'] / 'assets.extra'
    decision = json.loads((extra / 'threshold.json').read_text())
    assert decision == {'threshold': found['threshold'], 'aim': 'balanced_accuracy'}
    threshold = decision['threshold']
    assert 0 < threshold < 0.4
    before, after = recalls(first.json), recalls(found)
    assert after[0] > before[0] + 0.4
    assert sum(after) > sum(before) + 0.3
    note = r'val accuracy at 0\.5 0\.\d{4}; threshold (0\.\d+): balanced accuracy 0\.\d{4} on val'
    match = re.search(note, tuned.err)
    assert match is not None
    assert float(match[1]) == pytest.approx(threshold, abs=1e-4)
    assert f'above {match[1]}, its decision threshold' in (extra / 'model_card.md').read_text()
    page = (tmp_path / found['report']).read_text(encoding='utf-8')
    assert f'The decision threshold is {match[1]}. Rows' in page
    assert f'the threshold {match[1]} has the best balanced accuracy' in page

    scored = tmp_path / 'scored.jsonl'
    done = call_command(
        *('predict', '--input', str(tickets), '--output', str(scored)),
        *('--label-column', 'predicted'),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in scored.read_text().splitlines()]
    probabilities = np.array([row['probability'] for row in rows], np.float32).astype(np.float64)
    labels = np.where(probabilities > threshold, 'yes', 'no').tolist()
    assert [row['predicted'] for row in rows] == labels
    assert 0.02 < labels.count('yes') / len(labels) < 0.4
