"""Stops runs of the pipeline, and checks what must hold afterwards."""

from __future__ import annotations

import collections
import csv
import filecmp
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tests.conftest import NODES, REPO, SAMPLE

_COMPLETE = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
# What is there while a run works, and the temporary folder that it was started with.
_TRANSIENT = ('runs/artifacts/*/*/.system/*/*/*', 'runs/*/*.part', 'runs/tmp/*', 'tmp/*')
_CARD = os.path.join('assets.extra', 'model_card.md')

# Whether to stop the run now, asked every millisecond.
Moment = Callable[[], bool]


class Victim:
    """A pipeline of its own, whose runs are stopped.

    Attributes:
        losses: What was found lost, half-written or half-pushed.
        stopped_in: How often a run was stopped in each node.
        lost_in: How many losses were found then.
        stops: How many runs were stopped before they had ended.
        runs: How many were started.
        parts_left: How many were killed with half of a version in the folder.
    """

    def __init__(
        self,
        home: pathlib.Path,
        rows: int = 1_200,
        *,
        name: str = 'sentiment',
        root: pathlib.Path | None = None,
    ) -> None:
        self.home = home
        self.name = name
        self.root = root or home / 'runs'
        self.losses: list[str] = []
        self.stopped_in: collections.Counter[str] = collections.Counter()
        self.lost_in: collections.Counter[str] = collections.Counter()
        self.stops = self.runs = self.parts_left = 0
        home.mkdir(parents=True)
        with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
            head, *all_rows = csv.reader(file)
        random.Random(rows).shuffle(all_rows)
        with open(home / 'reviews.csv', 'w', encoding='utf-8', newline='') as file:
            csv.writer(file).writerows([head, *all_rows[:rows]])

    @property
    def serving(self) -> pathlib.Path:
        return self.root / 'serving' / self.name

    @property
    def temporary(self) -> pathlib.Path:
        return self.home / 'tmp'

    @property
    def artifacts(self) -> pathlib.Path:
        return self.root / 'artifacts' / self.name

    def followed_by(self, home: pathlib.Path, rows: int) -> Victim:
        """Return a new pipeline that continues the counts."""
        other = Victim(home, rows)
        other.add(self)
        return other

    def add(self, other: Victim) -> None:
        """Add what was counted of another pipeline."""
        self.losses += other.losses
        self.stopped_in += other.stopped_in
        self.lost_in += other.lost_in
        self.stops += other.stops
        self.runs += other.runs
        self.parts_left += other.parts_left

    def executions_of(self, node: str) -> list[str]:
        """Return the numbers of the executions of a node that TFX keeps a folder for."""
        folder = self.artifacts / node / '.system' / 'executor_execution'
        return os.listdir(folder) if folder.is_dir() else []

    def is_complete(self, execution: str) -> bool:
        """Say whether an execution is, asking SQLite alone, which is quick."""
        path = f'file:{self.root / "metadata.sqlite"}?mode=ro'
        with closing(sqlite3.connect(path, uri=True)) as store:
            query = 'SELECT last_known_state FROM Execution WHERE id = ?'
            found = store.execute(query, [int(execution)]).fetchone()
        return found is not None and found[0] in _COMPLETE

    def parts(self) -> list[str]:
        """Return what is being pushed, or was when it was killed."""
        names = os.listdir(self.serving) if self.serving.is_dir() else []
        return [name for name in names if name.startswith('.')]

    def start(self, *options: str, environment: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        self.runs += 1
        runner = str(REPO / 'pipeline_runner.py')
        self.temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [
                *(sys.executable, runner, 'run', '--data', 'reviews.csv', '--json'),
                *('--root', str(self.root), '--name', self.name),
                *options,
            ],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'TMPDIR': str(self.temporary), **environment},
        )

    def stop(self, number: int, moment: Moment, *, delay: float = 0) -> tuple[int, str, str, float]:
        """Run, send a signal at a moment, and check what is left.

        Returns:
            Exit code, standard output and error, and the seconds from the signal
            to the end; the code of a run that ended before is its own.
        """
        process = self.start()
        try:
            while process.poll() is None and not moment():
                time.sleep(0.001)
            time.sleep(delay)
            came = time.monotonic()
            if process.poll() is None:
                process.send_signal(number)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        seconds = time.monotonic() - came
        if process.returncode in (-number, 128 + number):
            self.stops += 1
            reached, known = self.reached(), len(self.losses)
            self.stopped_in[reached] += 1
            self.check()
            self.lost_in[reached] += len(self.losses) - known
        else:
            self.check()
        return process.returncode, out, err, seconds

    def kill(self, moment: Moment, *, delay: float = 0) -> None:
        code, _, err, _ = self.stop(signal.SIGKILL, moment, delay=delay)
        self.parts_left += bool(self.parts())
        # One that had ended before the moment came has ended well.
        if code not in (-signal.SIGKILL, 0):
            self.losses.append(f'a run ended with {code}: {err}')

    def interrupt(self, moment: Moment, number: int) -> None:
        code, out, err, seconds = self.stop(number, moment)
        if code == 0:
            return
        last_line = (err.splitlines() or [''])[-1]
        if code != 128 + number or 'the same command resumes' not in last_line:
            self.losses.append(f'a run that got signal {number} ended with {code}: {err}')
        elif json.loads(out)['outcome'] != 'interrupted':
            self.losses.append(f'a run that got signal {number} says {out}')
        if seconds > 5:
            self.losses.append(f'a run went on for {seconds:.1f} s after signal {number}')

    def finish(self) -> dict[str, str]:
        """Run to the end; return the states of the nodes."""
        complete = self.complete()
        return self.ended(self.start(), complete)

    def ended(self, process: subprocess.Popen[str], complete: set[str]) -> dict[str, str]:
        """Wait for a run that nothing stops; return the states of the nodes.

        Args:
            process: The run.
            complete: The nodes that it has to take from the cache.
        """
        out, err = process.communicate(timeout=300)
        self.check()
        if process.returncode != 0:
            self.losses.append(f'a run that nothing stopped ended with {process.returncode}: {err}')
            return {}
        outcome = json.loads(out)
        states = {node['id']: node['state'] for node in outcome['nodes']}
        if outcome['outcome'] != 'pushed' or not pathlib.Path(outcome['pushed']['path']).is_dir():
            self.losses.append(f'nothing is pushed: {outcome["outcome"]}')
        # These two depend on what is served, and the Pusher is never cached.
        again = {n for n in complete if states[n] != 'cached'} - {'Pusher', 'ServedBaseline'}
        if again:
            self.losses.append(f'complete, and not reused: {sorted(again)}')
        left = [
            str(path)
            for pattern in _TRANSIENT
            for path in self.home.glob(pattern)
        ]
        if left or self._active():
            self.losses.append(f'left behind: {left}, {self._active()} executions')
        return states

    def check(self) -> None:
        """Check what must hold at any time: the store, the served versions, the records."""
        path = self.root / 'metadata.sqlite'
        if path.is_file():
            with closing(sqlite3.connect(path)) as store:
                found = store.execute('PRAGMA integrity_check').fetchone()
            if found != ('ok',):
                self.losses.append(f'the metadata store is damaged: {found}')
            try:
                self._executions()
            except Exception as err:  # whatever it is, it was lost
                self.losses.append(f'the metadata store cannot be read: {err}')
        models = list(self.artifacts.glob('Trainer/model/*/Format-Serving'))
        for version in self.versions():
            if not any(same_files(version, model) for model in models):
                self.losses.append(f'{version} is no model that was trained')
        for record in self.root.glob('records/*.json'):
            json.loads(record.read_text(encoding='utf-8'))

    def versions(self) -> list[pathlib.Path]:
        """Return what a model server takes for versions."""
        if not self.serving.is_dir():
            return []
        return [path for path in self.serving.iterdir() if path.name.isdecimal()]

    def complete(self) -> set[str]:
        """Return the nodes that some run has completed."""
        return {node for node, _, state in self._executions() if state in _COMPLETE}

    def reached(self) -> str:
        """Return the node that the latest run was in, or `the start`, or `the end`."""
        logs = sorted(path.stem for path in (self.root / 'logs').glob('*.log'))
        of_run = [found for found in self._executions() if logs and found[1] == logs[-1]]
        complete = {node for node, _, state in of_run if state in _COMPLETE}
        if not of_run:
            return 'the start'
        return next((node for node in NODES if node not in complete), 'the end')

    def _active(self) -> int:
        live = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
        return sum(state in live for _, _, state in self._executions())

    def _executions(self) -> list[tuple[str, str, int]]:
        """Return node, run and state of all executions."""
        path = self.root / 'metadata.sqlite'
        if not path.is_file() or not path.stat().st_size:
            return []
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        store = metadata_store.MetadataStore(config)
        found = []
        for execution in store.get_executions():
            names: dict[str, Any] = {
                context.type: context.name
                for context in store.get_contexts_by_execution(execution.id)
            }
            name, _, node = str(names['node']).rpartition('.')
            if name == self.name:
                found.append((node, str(names['pipeline_run']), int(execution.last_known_state)))
        return found


def same_files(version: pathlib.Path, model: pathlib.Path) -> bool:
    """Say whether a pushed version is a model and its card, to the byte."""
    pushed, trained = files(version), files(model)
    if pushed - {_CARD} != trained or _CARD not in pushed or 'saved_model.pb' not in trained:
        return False
    differing = filecmp.cmpfiles(version, model, sorted(trained), shallow=False)
    return not differing[1] and not differing[2]


def files(folder: pathlib.Path) -> set[str]:
    """Return the paths of all files below a folder, relative to it."""
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
