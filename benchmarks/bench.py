"""Runs the contenders in turn, and collects their figures."""

from __future__ import annotations

import pathlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks import machine
from benchmarks.archive import file_hash
from benchmarks.contenders import Contender
from benchmarks.harness import RunError, folder_bytes, measure, say

# Largest difference in accuracy between the trained and the saved model.
_AGREEMENT = 0.002

# The table shows the median of each over the seeds.
_FIGURES = (
    'wall_seconds',
    'cpu_seconds',
    'peak_bytes',
    'accuracy',
    'auc',
    'ece',
    'log_loss',
    'size_bytes',
    'load_seconds',
    'latency_ms',
)


def run(
    contenders: Sequence[Contender], archive: pathlib.Path, *, seeds: int = 1, passes: int = 3
) -> dict[str, Any]:
    """Run contenders. If one fails, its row has the reason, and the others run.

    Args:
        contenders: Contenders to run.
        archive: The IMDB archive.
        seeds: Number of seeds for each contender that has one.
        passes: Number of passes over the test reviews to measure the scoring rate; 0 for none.

    Returns:
        The content of `results/bench.json` as JSON values.
    """
    facts = machine.describe()
    facts['data'] = {'archive': archive.name, 'sha256': file_hash(archive)}
    # The speed of a machine changes within an hour. In turn, a ratio compares runs of one time.
    turns = [
        (seed, contender)
        for seed in range(1, seeds + 1)
        for contender in contenders
        if seed == 1 or contender.seeded
    ]
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for number, (seed, contender) in enumerate(turns, start=1):
        say(f'{number}/{len(turns)}  {contender.name}, seed {seed}: {contender.title}')
        runs[contender.name].append(_run_once(contender, archive, seed, passes))
    rows = [summarise(contender, runs[contender.name]) for contender in contenders]
    return {**facts, 'contenders': rows}


def summarise(contender: Contender, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise all runs of a contender in one row."""
    row: dict[str, Any] = {'name': contender.name, 'title': contender.title, 'runs': runs}
    row['error'] = next((run['error'] for run in runs if run['error']), None)
    if not row['error']:
        row.update({name: statistics.median(run[name] for run in runs) for name in _FIGURES})
        ways = runs[0]['rates']
        row['rates'] = {way: statistics.median(run['rates'][way] for run in runs) for way in ways}
        row['rate'] = max(row['rates'].values(), default=None)
    return row


def _run_once(
    contender: Contender, archive: pathlib.Path, seed: int, passes: int
) -> dict[str, Any]:
    result: dict[str, Any] = {'seed': seed, 'error': None}
    with tempfile.TemporaryDirectory(prefix='bench-') as name:
        folder = pathlib.Path(name)
        trained = measure(contender.command(archive, folder / 'output', seed), cwd=folder)
        result.update(trained.usage)
        say(f'       {trained.wall_seconds:.1f} s')
        try:
            printed = trained.json()
            # A peer prints the folder of its model, and the pipeline what it pushed.
            model = pathlib.Path(printed.get('model') or printed['pushed']['path'])
            if 'nodes' in printed:
                result['nodes'] = {node['id']: node['seconds'] for node in printed['nodes']}
            result['size_bytes'] = folder_bytes(model)
            command = [sys.executable, '-m', 'benchmarks.score', contender.module, str(model)]
            command += [str(archive), '--passes', str(passes)]
            scored = measure(command, cwd=folder)
            figures = scored.json()
            result.update(figures.pop('metrics'))
            result.update(figures, scoring_peak_bytes=scored.peak_bytes)
            _require_agreement(printed['metrics'], result['accuracy'])
            say(f'       accuracy {result["accuracy"]:.4f}')
        except RunError as err:
            result['error'] = str(err)
            say(f'       failed: {err}')
    return result


def _require_agreement(reported: dict[str, Any], accuracy: float) -> None:
    own = reported.get('accuracy', reported.get('binary_accuracy'))
    if own is None or abs(own - accuracy) > _AGREEMENT:
        raise RunError(f'the saved model has accuracy {accuracy:.4f}, but {own} after training')
