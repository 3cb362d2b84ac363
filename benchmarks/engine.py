"""Measures the nodes that read all data on one machine and on Flink, with more and more data.

The data are all reviews of IMDB, once and five times, each time in other words. The model is a
small one, because the Trainer does not run on Flink.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.contenders import pipeline_command
from benchmarks.copies import write_copies
from benchmarks.harness import RunError, say
from benchmarks.memory import process_stats
from benchmarks.report import markdown_table
from tests.engine import jars
from tests.engine.cluster import WORKERS, Flink, flink

# Copies of IMDB, and task managers; 0 is a local run.
RUNS = ((1, 0), (1, 2), (1, 1), (5, 0), (5, 2))
NODES = ('ExampleGen', 'StatisticsGen', 'Transform', 'Evaluator')
_SMALL_MODEL = (
    'trainer.model.max_ngram=1',
    'trainer.model.unlabelled_weight=0',
    'gate.min_accuracy=0.01',
    # The figures of a node need it to run alone.
    'concurrent_nodes=1',
)
_SAMPLE_SECONDS = 0.2
_TICKS = os.sysconf('SC_CLK_TCK')
_PAGE = os.sysconf('SC_PAGE_SIZE')
_MIB = 1 << 20


class _Process(NamedTuple):
    """A process: the leader of its session, CPU time and resident set."""

    session: int
    cpu_seconds: float
    resident_bytes: int


def run(
    archive: pathlib.Path, save: Callable[[dict[str, Any]], None], runs: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    """Measure all runs.

    Args:
        archive: The IMDB archive.
        save: Called with the results after each run.
        runs: Numbers of copies and of task managers, as in `RUNS`.

    Returns:
        The results as JSON values.
    """
    # The processes of the cluster end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    jars.require_programs()
    libraries = jars.download('flink')
    results: dict[str, Any] = {**machine.describe(), 'runs': []}
    with tempfile.TemporaryDirectory(prefix='engine-') as name:
        folder = pathlib.Path(name)
        for number, (copies, task_managers) in enumerate(runs):
            data, home = folder / f'imdb-{copies}', folder / str(number)
            if not data.is_dir():
                reviews = write_copies(archive, data, copies)
                say(f'{reviews:,} reviews')
            say(f'{copies} times IMDB, {task_managers or "no"} task managers')
            row: dict[str, Any] = {'copies': copies, 'task_managers': task_managers, 'error': None}
            try:
                with contextlib.ExitStack() as stack:
                    cluster = None
                    if task_managers:
                        services = flink(home / 'flink', libraries, task_managers=task_managers)
                        cluster = stack.enter_context(services)
                    row.update(_run(data, home, cluster))
            except (RunError, AssertionError) as err:
                row['error'] = str(err)
                say(f'       failed: {err}')
            results['runs'].append(row)
            save(results)
    return results


def _run(data: pathlib.Path, home: pathlib.Path, cluster: Flink | None) -> dict[str, Any]:
    home.mkdir(exist_ok=True)
    _, _, *arguments = pipeline_command(data, home / 'runs', 'ngram')
    arguments += [part for setting in _SMALL_MODEL for part in ('--set', setting)]
    if cluster:
        runner, *options = cluster.beam_args + WORKERS
        arguments += ['--beam-runner', runner, '--set', f'beam.args={json.dumps(options)}']
    usage, log = home / 'nodes.json', home / 'run.log'
    meter = _Meter(usage, cluster)
    command = [sys.executable, '-m', 'benchmarks.node_usage', str(usage), *arguments]
    with log.open('wb') as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            while process.poll() is None:
                meter.sample(process.pid)
                time.sleep(_SAMPLE_SECONDS)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        lines = log.read_text(encoding='utf-8', errors='replace').strip().splitlines()
        raise RunError(f'exit code {process.returncode}: {lines[-1] if lines else "no message"}')
    nodes = meter.nodes()
    say('       ' + ', '.join(f'{name} {nodes[name]["seconds"]:.1f} s' for name in NODES))
    return {'nodes': nodes}


class _Meter:
    """Adds up time and memory of all processes of a run by node."""

    def __init__(self, usage: pathlib.Path, cluster: Flink | None) -> None:
        self._usage = usage
        self._task_managers = (
            {process.pid for process in cluster.task_managers} if cluster else set()
        )
        self._sessions = {process.pid for process in cluster.processes} if cluster else set()
        self._cpu = {pid: process.cpu_seconds for pid, process in _processes()}
        self._sums: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._finished: Mapping[str, Mapping[str, float]] = {}

    def sample(self, run: int) -> None:
        # The file may be incomplete, or not exist yet.
        with contextlib.suppress(OSError, ValueError):
            self._finished = json.loads(self._usage.read_text(encoding='utf-8'))
        sums = self._sums[len(self._finished)]
        for pid, process in _processes():
            if process.session != run and process.session not in self._sessions:
                continue
            sums['cpu_seconds'] += process.cpu_seconds - self._cpu.get(pid, 0)
            self._cpu[pid] = process.cpu_seconds
            if process.session in self._task_managers:
                kind = 'task_manager' if pid == process.session else 'worker'
                name = f'{kind}_peak_bytes'
                sums[name] = max(sums[name], process.resident_bytes)

    def nodes(self) -> dict[str, dict[str, float]]:
        """Return the figures of each node; `peak_bytes` is that of the run's own process."""
        finished = json.loads(self._usage.read_text(encoding='utf-8'))
        return {
            name: {**usage, **self._sums[number]}
            for number, (name, usage) in enumerate(finished.items())
        }


def _processes() -> Iterator[tuple[int, _Process]]:
    for pid, fields in process_stats():
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        yield pid, _Process(int(fields[3]), seconds, int(fields[21]) * _PAGE)


def table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table with a row for each node and amount of data."""
    runs = {(row['copies'], row['task_managers']): row for row in results['runs']}
    rows = []
    for copies in dict.fromkeys(copies for copies, _ in runs):
        for name in NODES:
            cells = [f'{copies} times', name]
            for managers, figures in _COLUMNS.items():
                node = runs.get((copies, managers), {}).get('nodes', {}).get(name, {})
                cells += [_cell(node, figure) for figure in figures]
            rows.append(cells)
    return markdown_table(('IMDB', 'node', *_TITLES), rows, left=2)


_COLUMNS = {
    0: ('seconds', 'cpu_seconds', 'peak_bytes'),
    1: ('seconds', 'cpu_seconds'),
    2: ('seconds', 'cpu_seconds', 'task_manager_peak_bytes', 'worker_peak_bytes'),
}
_TITLES = (
    'local: wall, s',
    'CPU, s',
    'peak, MiB',
    'one task manager: wall, s',
    'CPU, s',
    'two: wall, s',
    'CPU, s',
    'task manager, MiB',
    'worker, MiB',
)


def _cell(node: Mapping[str, float], figure: str) -> str:
    if figure not in node:
        return ''
    return f'{node[figure] / _MIB:,.0f}' if figure.endswith('bytes') else f'{node[figure]:.1f}'
