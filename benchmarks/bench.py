"""Runs the contenders one after the other, and collects their figures."""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks import machine
from benchmarks.archive import file_hash
from benchmarks.contenders import Contender
from benchmarks.harness import Measured, measure

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


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(
    contenders: Sequence[Contender], archive: pathlib.Path, *, seeds: int = 1, passes: int = 3
) -> dict[str, Any]:
    """Run contenders. If one fails, its row has the reason, and the others run.

    Args:
        contenders: Contenders to run.
        archive: The IMDB archive.
        seeds: Number of seeds for each contender that has one.
        passes: Number of passes over the test reviews to measure the scoring rate.

    Returns:
        The content of `results/bench.json` as JSON values.
    """
    facts = machine.describe()
    facts['data'] = {'archive': archive.name, 'sha256': file_hash(archive)}
    rows = []
    for number, contender in enumerate(contenders, start=1):
        say(f'{number}/{len(contenders)}  {contender.name}: {contender.title}')
        tries = seeds if contender.seeded else 1
        runs = [_run_once(contender, archive, seed + 1, passes) for seed in range(tries)]
        rows.append(summarise(contender, runs))
    return {**facts, 'contenders': rows}


def summarise(contender: Contender, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise all runs of a contender in one row."""
    row: dict[str, Any] = {'name': contender.name, 'title': contender.title, 'runs': runs}
    failures = [run['error'] for run in runs if run['error']]
    row['error'] = failures[0] if failures else None
    if not failures:
        row.update({name: statistics.median(run[name] for run in runs) for name in _FIGURES})
        ways = runs[0]['rates']
        row['rates'] = {way: statistics.median(run['rates'][way] for run in runs) for way in ways}
        row['rate'] = max(row['rates'].values())
    return row


def _run_once(
    contender: Contender, archive: pathlib.Path, seed: int, passes: int
) -> dict[str, Any]:
    result: dict[str, Any] = {'seed': seed, 'error': None}
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        output = pathlib.Path(folder, 'output')
        trained = measure(contender.command(archive, output, seed), cwd=pathlib.Path(folder))
        result.update(vars(trained.usage))
        say(f'       {trained.usage.wall_seconds:.1f} s')
        try:
            printed = json_of(trained)
            model = _model_of(printed)
            if 'nodes' in printed:
                result['nodes'] = {node['id']: node['seconds'] for node in printed['nodes']}
            result['size_bytes'] = folder_bytes(model)
            command = [sys.executable, '-m', 'benchmarks.score', contender.kind, str(model)]
            command += [str(archive), '--passes', str(passes)]
            scored = measure(command, cwd=pathlib.Path(folder))
            figures = json_of(scored)
            result.update(figures.pop('metrics'))
            result.update(figures, scoring_peak_bytes=scored.usage.peak_bytes)
            _require_agreement(printed['metrics'], result['accuracy'])
            rate = max(result['rates'].values())
            say(f'       accuracy {result["accuracy"]:.4f}, {rate:,.0f} reviews/s')
        except RunError as err:
            result['error'] = str(err)
            say(f'       failed: {err}')
    return result


class RunError(Exception):
    """A contender failed. The message is one line."""


def json_of(measured: Measured) -> dict[str, Any]:
    """Return the JSON object that a program printed.

    Raises:
        RunError: The program failed, or printed no JSON object.
    """
    if measured.failure:
        raise RunError(measured.failure)
    # The pipeline prints one object over many lines. A peer prints it in the last line.
    lines = measured.out.strip().splitlines() or ['']
    for text in (measured.out, lines[-1]):
        try:
            printed = json.loads(text)
        except ValueError:
            continue
        if isinstance(printed, dict):
            return printed
    raise RunError(f'expected JSON, got {lines[-1][:100]!r}')


def _model_of(printed: dict[str, Any]) -> pathlib.Path:
    pushed = printed.get('pushed')
    return pathlib.Path(pushed['path'] if pushed else printed['model'])


def _require_agreement(reported: dict[str, Any], accuracy: float) -> None:
    own = reported.get('accuracy', reported.get('binary_accuracy'))
    if own is None or abs(own - accuracy) > _AGREEMENT:
        raise RunError(f'the saved model has accuracy {accuracy:.4f}, but {own} after training')


def folder_bytes(folder: pathlib.Path) -> int:
    """Return the size of all files in a folder and its subfolders."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
