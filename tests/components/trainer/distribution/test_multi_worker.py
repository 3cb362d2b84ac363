"""Two processes that train together, on loopback."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.common import features
from components.common.errors import ComponentError, ConfigError
from components.common.progress import PROGRESS_LOGGER
from components.common.settings import TrainerSettings
from components.trainer.history import HISTORY_FILE
from components.trainer.run import run_fn
from tests.components.trainer.distribution.workers import (
    free_addresses,
    start_worker,
    tf_config,
    training_processes,
)
from tests.components.trainer.tiny import COUNTS, KEYS, TEXT, TRAINER, Tiny

TIMEOUT_SECONDS = 60
# That `worker_timeout_seconds` may be: enough for a worker that comes.
LEAST_SECONDS = 60


@pytest.fixture
def progress(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level('INFO', logger=PROGRESS_LOGGER)
    return caplog


def run(tiny: Tiny, folder: pathlib.Path, **settings: Any) -> None:
    """Call run_fn as TFX's Trainer does."""
    trainer = TrainerSettings(**{**TRAINER.model_dump(), **settings})
    run_fn(
        FnArgs(
            train_files=[tiny.pattern('train')],
            eval_files=[tiny.pattern('val')],
            transform_graph_path=str(tiny.transform_graph),
            serving_model_dir=str(folder / 'serving'),
            model_run_dir=str(folder / 'run'),
            custom_config={'trainer': trainer.model_dump(), 'text': TEXT.model_dump()},
        )
    )


def ended(worker: subprocess.Popen[bytes]) -> int:
    try:
        return worker.wait(TIMEOUT_SECONDS)
    finally:
        worker.kill()
        worker.wait()


def test_one_model_as_good_as_alone_comes_of_two_processes_when_they_train(
    tiny: Tiny,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    progress: pytest.LogCaptureFixture,
) -> None:
    run(tiny, tmp_path / 'alone')
    addresses = free_addresses(2)
    monkeypatch.setenv('TF_CONFIG', tf_config(addresses, 0))
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    with open(tmp_path / 'worker.log', 'wb') as output:
        worker = start_worker(addresses, 1, output, elsewhere)
    try:
        least = {'worker_timeout_seconds': LEAST_SECONDS}
        run(tiny, tmp_path / 'both', distribution='multi_worker', **least)
    finally:
        code = ended(worker)
    log = (tmp_path / 'worker.log').read_text()
    assert code == 0, log

    # Each file is read by one of them: there are two, of half of the examples each.
    half = COUNTS['train'] // 2, COUNTS['val'] // 2
    assert f'train: the workers read {half[0]} + {half[0]} examples' in progress.messages
    assert f'val: the workers read {half[1]} + {half[1]} examples' in progress.messages
    read = f'read {half[0]} of {COUNTS["train"]} examples of train, {half[1]} of {COUNTS["val"]}'
    assert read in log

    # The other one writes nothing.
    assert not list(elsewhere.iterdir())
    assert sorted(p.name for p in (tmp_path / 'both').iterdir()) == ['run', 'serving']
    histories = {
        name: json.loads((tmp_path / name / 'run' / HISTORY_FILE).read_text())
        for name in ('alone', 'both')
    }
    assert set(histories['both']) == KEYS
    assert len(histories['both']['loss']) == TRAINER.epochs
    assert list((tmp_path / 'both' / 'run').glob('validation/events.out.tfevents.*'))
    # As many steps of as many examples: the same curve but for which are together.
    for name, values in histories['alone'].items():
        if name.startswith('val_'):
            assert histories['both'][name][-1] == pytest.approx(values[-1], abs=0.1), name
    assert histories['both']['val_binary_accuracy'][-1] >= 0.9
    served = tf.saved_model.load(str(tmp_path / 'both' / 'serving'))
    texts = tf.constant(['great superb best good', 'awful dull bad worst'])
    scores = served.signatures[features.TEXT_SIGNATURE](texts)[features.PROBABILITY_KEY].numpy()
    assert scores[0] > 0.5 > scores[1]


@pytest.mark.parametrize('who', ['worker', pytest.param('chief', marks=pytest.mark.slow)])
def test_the_others_stop_with_one_error_when_a_process_is_killed(
    who: str,
    tiny: Tiny,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    progress: pytest.LogCaptureFixture,
) -> None:
    addresses = free_addresses(2)
    monkeypatch.setenv('TF_CONFIG', tf_config(addresses, 0))
    elsewhere, here = tmp_path / 'elsewhere', tmp_path / 'here'
    elsewhere.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    with open(tmp_path / 'worker.log', 'wb') as output:
        worker = start_worker(addresses, 1, output, elsewhere)
    killed: list[int] = []

    def kill() -> None:
        """Kill once training is under way."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end:
            if any(line.startswith('epoch 2/') for line in progress.messages):
                for pid in training_processes(elsewhere if who == 'worker' else here):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    started = time.monotonic()
    reason = 'no answer from' if who == 'worker' else 'ended by SIGKILL'
    try:
        # It would take hours.
        with pytest.raises(ComponentError, match=f'2 workers failed in worker 0: .*{reason}'):
            run(tiny, tmp_path / 'both', distribution='multi_worker', epochs=10_000)
        seconds = time.monotonic() - started
    finally:
        killer.join()
        code = ended(worker)
    assert len(killed) == 1
    assert seconds < TIMEOUT_SECONDS
    log = (tmp_path / 'worker.log').read_text()
    assert code == ComponentError.exit_code, log
    assert re.search(r'^error: training with 2 workers failed in worker 1', log, re.MULTILINE)
    assert not (tmp_path / 'both' / 'serving').exists()
    assert not training_processes(here) + training_processes(elsewhere)


@pytest.mark.slow
def test_training_is_given_up_when_a_worker_does_not_come(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = free_addresses(2)
    monkeypatch.setenv('TF_CONFIG', tf_config(addresses, 0))
    message = f'no progress for {LEAST_SECONDS} s; no answer from {addresses[1]}$'
    with pytest.raises(ComponentError, match=message) as caught:
        run(tiny, tmp_path, distribution='multi_worker', worker_timeout_seconds=LEAST_SECONDS)
    assert 'nothing was exported' in caught.value.hint
    assert not (tmp_path / 'serving').exists()


def test_training_does_not_begin_when_no_workers_are_named(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('TF_CONFIG', raising=False)
    with pytest.raises(ConfigError, match='environment variable TF_CONFIG: it is not set$'):
        run(tiny, tmp_path, distribution='multi_worker')
    assert not (tmp_path / 'serving').exists()
