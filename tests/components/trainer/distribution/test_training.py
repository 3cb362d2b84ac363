from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest

from components.common.errors import ComponentError, ConfigError
from components.common.settings import TrainerSettings
from components.trainer.distribution import loop
from components.trainer.distribution.job import Job
from components.trainer.distribution.loop import Team
from components.trainer.distribution.training import local_team, train
from components.trainer.models.tutorial import build
from tests.components.trainer.tiny import KEYS, TEXT, TRAINER, Tiny, damage_shard, write_split
from tests.conftest import REPO


def make_job(tiny: Tiny, folder: pathlib.Path, **settings: Any) -> Job:
    return Job(
        examples=str(tiny.examples),
        train_files=(tiny.pattern('train'),),
        val_files=(tiny.pattern('val'),),
        transform_graph=str(tiny.transform_graph),
        log_dir=str(folder / 'logs'),
        trainer=TrainerSettings(**{**TRAINER.model_dump(), **settings}),
        text=TEXT,
    )


def alone() -> Team:
    return local_team('one_device')


def test_job_is_the_same_when_it_is_told_as_json(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    job = make_job(tiny, tmp_path, input='stream', epochs=3)
    assert '\n' not in job.to_json()
    assert Job.from_json(job.to_json()) == job


def test_weights_are_those_of_keras_when_it_takes_the_same_steps(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One step an epoch, so that order does not matter; a batch that padding fills up.
    job = make_job(tiny, tmp_path, dropout=0, epochs=5, batch_size=1_000)
    fitted = train(job, alone())
    from components.trainer.distribution import training

    seen: list[Any] = []
    monkeypatch.setattr(
        training, 'fit', lambda *_, parts, **__: (seen.append(parts), ([], {}))[1]
    )
    train(job, alone())
    blocks = {split: next(rows.blocks(0)) for split, rows in seen[0].items()}
    keras.utils.set_random_seed(job.trainer.seed)
    network = build(job.trainer, TEXT)
    history = network.fit(
        *blocks['train'], batch_size=1_000, epochs=5, verbose=0, validation_data=blocks['val']
    )
    for ours, theirs in zip(fitted.weights, network.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert set(fitted.history) == KEYS
    for name, values in history.history.items():
        assert fitted.history[name] == pytest.approx(values, abs=1e-5), name


def test_weights_are_the_same_when_two_devices_share_each_step(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    # Without what is random, each step is of the same rows, of which each device has half.
    job = make_job(tiny, tmp_path, dropout=0, batch_size=9, distribution='mirrored')
    (tmp_path / 'job.json').write_text(job.to_json())
    module = 'tests.components.trainer.distribution.mirrored'
    done = subprocess.run(
        [sys.executable, '-m', module, str(tmp_path / 'job.json'), str(tmp_path / 'weights.npz')],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found['replicas'] == 2
    fitted = train(job, alone())
    with np.load(tmp_path / 'weights.npz') as file:
        for name, ours in zip(file.files, fitted.weights):
            np.testing.assert_allclose(file[name], ours, atol=1e-4)
    for name, values in fitted.history.items():
        assert found['history'][name] == pytest.approx(values, abs=1e-3), name


def test_model_is_as_good_when_examples_are_streamed(tiny: Tiny, tmp_path: pathlib.Path) -> None:
    kept, streamed = (
        train(make_job(tiny, tmp_path / kind, input=kind), alone()).history
        for kind in ('memory', 'stream')
    )
    assert streamed['val_binary_accuracy'][-1] >= 0.9
    assert streamed['val_loss'][-1] == pytest.approx(kept['val_loss'][-1], abs=0.1)


def test_weights_of_the_best_epoch_are_kept_when_asked_for(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    # Of labels that are turned around, what is learned makes the loss worse and worse.
    examples = tmp_path / 'examples'
    shutil.copytree(tiny.examples, examples)
    shutil.rmtree(examples / 'Split-val')
    write_split(examples / 'Split-val', [[(text, 1 - y) for text, y in tiny.reviews['val']]])
    turned = dataclasses.replace(tiny, examples=examples)
    best = train(make_job(turned, tmp_path, epochs=4, restore_best_epoch=True), alone())
    assert int(np.argmin(best.history['val_loss'])) == 0
    first = train(make_job(turned, tmp_path, epochs=1), alone())
    for ours, theirs in zip(best.weights, first.weights):
        assert (ours == theirs).all()


def test_epoch_is_not_the_best_when_its_loss_is_not_a_number(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, losses = loop._Steps.take, iter([math.nan, 0.1, math.nan, 0.2])

    def taken(steps: Any, function: Any, *others: Any) -> dict[str, float]:
        found = take(steps, function, *others)
        return {**found, 'loss': next(losses)} if function is steps.watch else found

    with monkeypatch.context() as patch:
        patch.setattr(loop._Steps, 'take', taken)
        best = train(make_job(tiny, tmp_path, epochs=4, restore_best_epoch=True), alone())
    assert best.history['val_loss'] == pytest.approx([math.nan, 0.1, math.nan, 0.2], nan_ok=True)
    second = train(make_job(tiny, tmp_path, epochs=2), alone())
    for ours, theirs in zip(best.weights, second.weights):
        assert (ours == theirs).all()


@pytest.mark.parametrize('split', ['train', 'val'])
def test_training_stops_before_the_first_step_when_a_record_is_missing(
    split: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    examples = tmp_path / 'examples'
    shutil.copytree(tiny.examples, examples)
    damage_shard(examples / f'Split-{split}', 'truncated')
    copy = Tiny(reviews=tiny.reviews, examples=examples, transform_graph=tiny.transform_graph)
    message = f'^Trainer: expected the .* examples of {split} that ExampleGen wrote, got'
    with pytest.raises(ComponentError, match=message):
        train(make_job(copy, tmp_path, input='stream'), alone())
    assert not (tmp_path / 'logs').exists()


def test_batch_is_refused_when_it_has_fewer_rows_than_there_are_replicas(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = alone()
    monkeypatch.setattr(type(team.strategy), 'num_replicas_in_sync', 3)
    with pytest.raises(ConfigError, match='batch_size 2 is divided between 3 replicas'):
        train(make_job(tiny, tmp_path, batch_size=2), team)
