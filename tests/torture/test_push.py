"""Pushes, rollbacks and prunes at once, killed at random moments, while a server loads versions."""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from components.common.model_versions import digest_of_model, recorded_digest
from components.common.rollback_state import read_withdrawals
from components.common.serving_lock import serving_lock
from components.smoke_test.run import TIMEOUT_SECONDS, SmokeTestError, smoke_test
from tests.components.smoke_test import models
from tests.conftest import REPO
from tests.torture.conftest import Tally
from tests.torture.serving import ANSWER_FILE, folder_of

_SECONDS = 100
_MODELS = 4
_CHANGERS = ('push', 'push', 'rollback', 'prune')
_FILLING_BYTES = 8 << 20  # so that copying takes a large part of a push


class Worker:
    """A process of `serving.py`, which writes its output to files."""

    def __init__(self, action: str, folder: pathlib.Path, number: int) -> None:
        self.action = action
        self._out, self._err = (folder / f'{number}.{stream}' for stream in ('out', 'err'))
        command = [sys.executable, '-m', 'tests.torture.serving', action]
        command += [str(folder / 'runs'), str(folder / 'trained'), str(number)]
        with open(self._out, 'wb') as out, open(self._err, 'wb') as err:
            self.process = subprocess.Popen(command, cwd=REPO, stdout=out, stderr=err)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def lines(self) -> list[str]:
        return self._out.read_text(encoding='utf-8').splitlines()

    def error(self) -> str:
        return f'{self.action}: {self._err.read_text()[-2_000:]}'


def _write_models(folder: pathlib.Path) -> None:
    """Write models that return another number each, and have a size of some MB."""
    for number in range(_MODELS):
        answer = 0.1 + 0.2 * number

        def score(text: tf.Tensor, answer: float = answer) -> tf.Tensor:
            return tf.fill(tf.shape(text), answer)

        def logit(text: tf.Tensor, answer: float = answer) -> tf.Tensor:
            return tf.fill(tf.shape(text), float(np.log(answer / (1 - answer))))

        model = models.save(folder / str(number), by_text=score, by_example=score, explained=logit)
        (model / ANSWER_FILE).write_text(json.dumps(answer))
        (model / 'assets').mkdir(exist_ok=True)
        (model / 'assets' / 'words').write_bytes(os.urandom(_FILLING_BYTES))


def test_live_version_is_complete_when_pushes_rollbacks_and_prunes_are_killed(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    choose = random.Random(1)
    _write_models(tmp_path / 'trained')
    serving = folder_of(tmp_path / 'runs')
    workers: list[Worker] = []

    def start(action: str) -> Worker:
        workers.append(Worker(action, tmp_path, len(workers)))
        return workers[-1]

    first = start('push')
    while not list(serving.glob('[0-9]*')):
        time.sleep(0.05)
        assert not first.has_ended(), first.error()
    reader = start('read')
    changers = [first, *map(start, _CHANGERS[1:])]
    interrupted = dict.fromkeys(_CHANGERS, 0)
    crashed: list[str] = []
    ends = time.monotonic() + _SECONDS
    try:
        while time.monotonic() < ends:
            time.sleep(choose.uniform(0.1, 1.5))
            index = choose.randrange(len(changers))
            worker = changers[index]
            if worker.has_ended():
                crashed.append(worker.error())
            elif worker.action == 'rollback' and choose.random() < 0.7:
                continue  # Its smoke test takes seconds, and some rollbacks should be complete.
            else:
                worker.kill()
                interrupted[worker.action] += worker.lines()[-1:] == [f'{worker.action} begins']
            changers[index] = start(worker.action)
        if reader.has_ended():
            crashed.append(reader.error())
    finally:
        for worker in workers:
            worker.kill()
    lines = [line for worker in workers for line in worker.lines()]

    def count(event: str, *actions: str) -> list[int]:
        return [sum(line.startswith(f'{action} {event}') for line in lines) for action in actions]

    with serving_lock(str(serving)):
        left_over = [path.name for path in serving.glob('.*.part')]
    broken = [
        path.name
        for path in serving.glob('[0-9]*')
        if recorded_digest(str(path)) != digest_of_model(str(path))
    ]
    read_withdrawals(str(serving))
    lost = [line for line in lines if line.startswith('read lost')]
    tally(
        fault='pushes, rollbacks and prunes at once, killed at random moments',
        runs=sum(count('begins', *set(_CHANGERS))),
        faults=sum(interrupted.values()),
        losses=len(broken) + len(left_over) + len(crashed),
    )
    tally(
        fault='loads of the live version during pushes, rollbacks and prunes',
        runs=count('begins', 'read')[0],
        faults=0,  # They are counted above.
        losses=len(lost),
    )
    assert not crashed
    assert not lost
    assert not broken
    assert not left_over
    assert all(count('done', *_CHANGERS))
    assert count('done', 'read')[0] > 20
    assert all(interrupted.values()), interrupted


def _halve(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: pathlib.Path) -> None:
    path.write_bytes(b'')


@pytest.mark.parametrize('harm', [pathlib.Path.unlink, _halve, _empty])
@pytest.mark.parametrize(
    'name',
    [
        'saved_model.pb',
        'variables/variables.index',
        'variables/variables.data-00000-of-00001',
        'assets.extra/labels.json',
    ],
)
def test_model_fails_its_smoke_test_when_a_file_is_damaged(
    name: str, harm: Callable[[pathlib.Path], None], tmp_path: pathlib.Path, tally: Tally
) -> None:
    model = models.save(tmp_path / 'model')
    harm(model / name)
    message = _smoke_test_error(model)
    fault = 'a file of the model damaged before the push'
    tally(fault=fault, runs=1, faults=1, losses=int(not message))
    assert message


@pytest.mark.parametrize('score', [models.loop_forever, models.too_large])
def test_model_fails_its_smoke_test_when_it_never_answers(
    score: models.Score, tmp_path: pathlib.Path, tally: Tally
) -> None:
    model = models.save(tmp_path / 'model', by_text=score, by_example=score)
    began = time.monotonic()
    message = _smoke_test_error(model, timeout_seconds=20)
    fault = 'a model that never ends, or takes all memory'
    tally(fault=fault, runs=1, faults=1, losses=int(not message))
    checks = ('it answers in time', 'serving_text answers', 'it runs')
    assert any(check in message for check in checks)
    assert time.monotonic() - began < 60


def _smoke_test_error(model: pathlib.Path, timeout_seconds: int = TIMEOUT_SECONDS) -> str:
    """Return the message of the smoke test, empty if the model passes."""
    try:
        smoke_test(str(model), timeout_seconds=timeout_seconds)
    except SmokeTestError as err:
        return str(err)
    return ''
