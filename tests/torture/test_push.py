"""Pushes, rollbacks and prunes at once, killed at random, while a server loads what is live."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from components.common.model_versions import digest_of_model, recorded_digest
from components.common.rollback_state import read_withdrawals
from components.common.serving_lock import serving_lock
from components.smoke_test.run import SmokeTestError, smoke_test
from tests.components.smoke_test import models
from tests.conftest import REPO
from tests.torture.conftest import Tally
from tests.torture.serving import SAID, folder_of

_SECONDS = 100
_MODELS = 4
_CHANGERS = ('push', 'push', 'rollback', 'prune')
_READERS = 1
_FILLING_BYTES = 8 << 20  # so that a push is a while in its copy


class Worker(NamedTuple):
    """A process of `serving.py`, and where it writes."""

    what: str
    process: subprocess.Popen[bytes]
    out: pathlib.Path
    err: pathlib.Path


class Workers:
    """Starts and kills worker processes."""

    def __init__(self, folder: pathlib.Path, root: pathlib.Path, trained: pathlib.Path) -> None:
        self.all: list[Worker] = []
        self._folder, self._root, self._trained = folder, root, trained

    def start(self, what: str) -> Worker:
        number = len(self.all)
        out, err = (self._folder / f'{number}.{stream}' for stream in ('out', 'err'))
        arguments = [what, str(self._root), str(self._trained), str(number)]
        with open(out, 'wb') as to, open(err, 'wb') as errors:
            process = subprocess.Popen(
                [sys.executable, '-m', 'tests.torture.serving', *arguments],
                cwd=REPO,
                stdout=to,
                stderr=errors,
            )
        worker = Worker(what, process, out, err)
        self.all.append(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()

    def lines(self, beginning: str) -> list[str]:
        """Return what all have said that begins so."""
        said = [line for w in self.all for line in w.out.read_text(encoding='utf-8').splitlines()]
        return [line for line in said if line.startswith(beginning)]


def _train(folder: pathlib.Path) -> None:
    """Write models that answer another number each, and are some MB large."""
    for number in range(_MODELS):
        answer = 0.1 + 0.2 * number

        def score(text: tf.Tensor, answer: float = answer) -> tf.Tensor:
            return tf.fill(tf.shape(text), answer)

        def logit(text: tf.Tensor, answer: float = answer) -> tf.Tensor:
            return tf.fill(tf.shape(text), float(np.log(answer / (1 - answer))))

        model = models.save(folder / str(number), by_text=score, by_example=score, explained=logit)
        (model / SAID).write_text(json.dumps(answer))
        (model / 'assets').mkdir(exist_ok=True)
        (model / 'assets' / 'words').write_bytes(os.urandom(_FILLING_BYTES))


def test_live_version_is_complete_when_pushes_rollbacks_and_prunes_are_killed(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    choose = random.Random(1)
    root, trained = tmp_path / 'runs', tmp_path / 'trained'
    _train(trained)
    workers = Workers(tmp_path, root, trained)
    serving = folder_of(root)
    first = workers.start('push')
    while not list(serving.glob('[0-9]*')):
        time.sleep(0.05)
        assert first.process.poll() is None, first.err.read_text()
    readers = [workers.start('read') for _ in range(_READERS)]
    changers = [first, *(workers.start(what) for what in _CHANGERS[1:])]
    kills: dict[str, int] = dict.fromkeys(_CHANGERS, 0)
    amid: dict[str, int] = dict.fromkeys(_CHANGERS, 0)
    crashed: list[str] = []
    ends = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < ends:
            time.sleep(choose.uniform(0.1, 1.5))
            index = choose.randrange(len(changers))
            worker = changers[index]
            if worker.process.poll() is not None:
                crashed.append(f'{worker.what}: {worker.err.read_text()[-2_000:]}')
            elif worker.what == 'rollback' and choose.random() < 0.7:
                continue  # it takes seconds to try a model, and should come to an end at times
            else:
                workers.kill(worker)
                kills[worker.what] += 1
                amid[worker.what] += worker.out.read_text().endswith('begins\n')
            changers[index] = workers.start(worker.what)
    finally:
        for worker in workers.all:
            if worker.process.poll() is None:
                workers.kill(worker)

    with serving_lock(str(serving)):
        left_over = [path.name for path in serving.glob('.*.part')]
    broken = [
        path.name
        for path in serving.glob('[0-9]*')
        if recorded_digest(str(path)) != digest_of_model(str(path))
    ]
    read_withdrawals(str(serving))
    lost = workers.lines('read lost')
    tally(
        fault='pushes, rollbacks and prunes at once, killed at random moments',
        runs=sum(len(workers.lines(f'{what} begins')) for what in set(_CHANGERS)),
        faults=sum(amid.values()),
        losses=len(broken) + len(left_over) + len(crashed),
    )
    tally(
        fault='loads of the live version during pushes, rollbacks and prunes',
        runs=len(workers.lines('read begins')),
        faults=0,  # they are counted above
        losses=len(lost),
    )
    assert not crashed
    assert not lost
    assert not broken
    assert not left_over
    assert all(reader.process.returncode == -signal.SIGKILL for reader in readers), [
        reader.err.read_text()[-2_000:] for reader in readers
    ]
    assert all(workers.lines(f'{what} done') for what in _CHANGERS)
    assert len(workers.lines('read done')) > 20
    assert all(amid[what] for what in _CHANGERS), (amid, kills)


def _remove(path: pathlib.Path) -> None:
    path.unlink()


def _halve(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: pathlib.Path) -> None:
    path.write_bytes(b'')


@pytest.mark.parametrize('harm', [_remove, _halve, _empty], ids=['removed', 'cut', 'emptied'])
def test_model_fails_its_smoke_test_when_a_file_is_damaged(
    harm: object, tmp_path: pathlib.Path, tally: Tally
) -> None:
    assert callable(harm)
    files = (
        'saved_model.pb',
        'variables/variables.index',
        'variables/variables.data-00000-of-00001',
        'assets.extra/labels.json',
    )
    passed = 0
    for number, name in enumerate(files):
        model = models.save(tmp_path / str(number))
        harm(model / name)
        try:
            smoke_test(str(model))
        except SmokeTestError:
            continue
        passed += 1
    tally(
        fault='a file of the model damaged before the push',
        runs=len(files),
        faults=len(files),
        losses=passed,
    )
    assert not passed


@pytest.mark.parametrize('name', ['never', 'too_large'])
def test_model_fails_its_smoke_test_when_it_never_answers(
    name: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    score = getattr(models, name)
    model = models.save(tmp_path / 'model', by_text=score, by_example=score)
    began = time.monotonic()
    passed = False
    try:
        smoke_test(str(model), timeout_seconds=20)
        passed = True
    except SmokeTestError as err:
        message = str(err)
    tally(fault='a model that never ends, or takes all memory', runs=1, faults=1, losses=passed)
    assert not passed
    checks = ('it answers in time', 'serving_text answers', 'it runs')
    assert any(check in message for check in checks)
    assert time.monotonic() - began < 60
