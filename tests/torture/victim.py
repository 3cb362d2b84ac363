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

from components.common.model_versions import CARD_PATH, DIGEST_PATH
from tests.conftest import NODES, REPO, SAMPLE

_COMPLETE = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
# Files that exist only during a run.
_TRANSIENT = ('runs/artifacts/*/*/.system/*/*/*', 'runs/*/*.part', 'runs/tmp/*', 'tmp/*')
# The files that a push adds to a model.
_ADDED = {CARD_PATH, DIGEST_PATH}

# Returns whether to stop the run now; called every millisecond.
Moment = Callable[[], bool]


class Victim:
    """A pipeline whose runs are stopped.

    Attributes:
        losses: Descriptions of what was lost, incomplete or wrongly pushed.
        stopped_in: Number of runs that were stopped, by node.
        lost_in: Number of losses that were found then, by node.
        stops: Number of runs that were stopped before they ended.
        runs: Number of runs that were started.
        parts_left: Number of killed runs that left an incomplete version in the folder.
    """

    def __init__(
        self,
        home: pathlib.Path,
        rows: int = 1_200,
        *,
        name: str = 'sentiment',
        root: pathlib.Path | None = None,
    ) -> None:
        self.home, self.name, self.root = home, name, root or home / 'runs'
        self.serving = self.root / 'serving' / name
        self.artifacts = self.root / 'artifacts' / name
        self.losses: list[str] = []
        self.stopped_in: collections.Counter[str] = collections.Counter()
        self.lost_in: collections.Counter[str] = collections.Counter()
        self.stops = self.runs = self.parts_left = 0
        (home / 'tmp').mkdir(parents=True)
        with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
            head, *all_rows = csv.reader(file)
        random.Random(rows).shuffle(all_rows)
        with open(home / 'reviews.csv', 'w', encoding='utf-8', newline='') as file:
            csv.writer(file).writerows([head, *all_rows[:rows]])

    def add(self, other: Victim) -> None:
        """Add the counts of another pipeline."""
        for name in ('losses', 'stopped_in', 'lost_in', 'stops', 'runs', 'parts_left'):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def executions_of(self, node: str) -> set[str]:
        """Return the ids of the executions of a node, from the folders that TFX makes for them."""
        folder = self.artifacts / node / '.system' / 'executor_execution'
        return set(os.listdir(folder)) if folder.is_dir() else set()

    def is_complete(self, execution: str) -> bool:
        """Return whether an execution is complete, by a quick query of SQLite."""
        path = f'file:{self.root / "metadata.sqlite"}?mode=ro'
        with closing(sqlite3.connect(path, uri=True)) as store:
            query = 'SELECT last_known_state FROM Execution WHERE id = ?'
            found = store.execute(query, [int(execution)]).fetchone()
        return found is not None and found[0] in _COMPLETE

    def parts(self) -> list[str]:
        """Return the incomplete versions."""
        names = os.listdir(self.serving) if self.serving.is_dir() else []
        return [name for name in names if name.startswith('.')]

    def start(self, *options: str, environment: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        self.runs += 1
        command = [sys.executable, str(REPO / 'pipeline_runner.py'), 'run', '--json']
        command += ['--data', 'reviews.csv', '--root', str(self.root), '--name', self.name]
        return subprocess.Popen(
            [*command, *options],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'TMPDIR': str(self.home / 'tmp'), **environment},
        )

    def stop(
        self, number: int, moment: Moment, *, node: str = '', delay: float = 0
    ) -> tuple[int, str, str, float]:
        """Start a run, send it a signal at a moment, and check what is left.

        Args:
            number: The signal.
            moment: When to send it.
            node: The node that is to be stopped; others may run at the same time.
            delay: Seconds from the moment to the signal.

        Returns:
            Exit code, standard output and error, and the seconds from the signal to the end. A
            run may end before the moment comes.
        """
        process = self.start()
        try:
            while process.poll() is None and not moment():
                time.sleep(0.001)
            time.sleep(delay)
            signalled = time.monotonic()
            if process.poll() is None:
                process.send_signal(number)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        seconds, known = time.monotonic() - signalled, len(self.losses)
        self.check()
        if process.returncode in (-number, 128 + number):
            self.stops += 1
            reached = self.reached(node)
            self.stopped_in[reached] += 1
            self.lost_in[reached] += len(self.losses) - known
        return process.returncode, out, err, seconds

    def kill(self, moment: Moment, *, node: str = '', delay: float = 0) -> None:
        code, _, err, _ = self.stop(signal.SIGKILL, moment, node=node, delay=delay)
        self.parts_left += bool(self.parts())
        if code not in (-signal.SIGKILL, 0):
            self.losses.append(f'a run ended with {code}: {err}')

    def interrupt(self, moment: Moment, number: int, *, node: str = '') -> None:
        code, out, err, seconds = self.stop(number, moment, node=node)
        if code == 0:
            return
        last_line = (err.splitlines() or [''])[-1]
        if code != 128 + number or 'to resume from the cached nodes' not in last_line:
            self.losses.append(f'a run that got signal {number} ended with {code}: {err}')
        elif json.loads(out)['outcome'] != 'interrupted':
            self.losses.append(f'a run that got signal {number} printed {out}')
        if seconds > 5:
            self.losses.append(f'a run ended {seconds:.1f} s after signal {number}')

    def finish(self) -> dict[str, str]:
        """Run to the end; return the states of the nodes."""
        complete = self.complete()
        return self.wait_for(self.start(), complete)

    def wait_for(self, process: subprocess.Popen[str], complete: set[str]) -> dict[str, str]:
        """Wait for a run that is not stopped; return the states of the nodes.

        Args:
            process: The run.
            complete: The nodes that it must take from the cache.
        """
        out, err = process.communicate(timeout=300)
        self.check()
        if process.returncode != 0:
            self.losses.append(f'a run that was not stopped ended with {process.returncode}: {err}')
            return {}
        outcome = json.loads(out)
        states = {node['id']: node['state'] for node in outcome['nodes']}
        if outcome['outcome'] != 'pushed' or not pathlib.Path(outcome['pushed']['path']).is_dir():
            self.losses.append(f'no version was pushed: {outcome["outcome"]}')
        # These two depend on what is served, and the Pusher is never cached.
        again = {n for n in complete if states[n] != 'cached'} - {'Pusher', 'ServedBaseline'}
        if again:
            self.losses.append(f'complete nodes were executed again: {sorted(again)}')
        left = [str(path) for pattern in _TRANSIENT for path in self.home.glob(pattern)]
        active = sum(state in _ACTIVE for _, _, state in self._executions())
        if left or active:
            self.losses.append(f'left over: {left}, {active} active executions')
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
            except Exception as err:  # Whatever it is, the store was lost.
                self.losses.append(f'the metadata store cannot be read: {err}')
        models = list(self.artifacts.glob('Trainer/model/*/Format-Serving'))
        for version in self.serving.glob('[0-9]*'):
            if not any(_is_push_of(version, model) for model in models):
                self.losses.append(f'{version} differs from all trained models')
        for record in self.root.glob('records/*.json'):
            json.loads(record.read_text(encoding='utf-8'))

    def complete(self) -> set[str]:
        """Return the nodes that a run has completed."""
        return {node for node, _, state in self._executions() if state in _COMPLETE}

    def reached(self, node: str = '') -> str:
        """Return the node that the latest run was in, or `the start`, or `the end`.

        If it was in several nodes, `node` is returned if it is one of them, or else the first.
        """
        logs = sorted(path.stem for path in (self.root / 'logs').glob('*.log'))
        of_run = [found for found in self._executions() if logs and found[1] == logs[-1]]
        complete = {node for node, _, state in of_run if state in _COMPLETE}
        if not of_run:
            return 'the start'
        if node in {started for started, _, _ in of_run} - complete:
            return node
        return next((node for node in NODES if node not in complete), 'the end')

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


def _is_push_of(version: pathlib.Path, model: pathlib.Path) -> bool:
    """Return whether a version has all files of a model, byte for byte, and those of a push."""
    pushed, trained = (
        {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
        for folder in (version, model)
    )
    if pushed != trained | _ADDED or 'saved_model.pb' not in trained:
        return False
    differing = filecmp.cmpfiles(version, model, sorted(trained), shallow=False)
    return not differing[1] and not differing[2]
