"""Tests of the process of the smoke test: its environment and its exit."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from components.smoke_test import process
from components.smoke_test.run import KnownScore, SmokeTestError, smoke_test
from tests.components.smoke_test import models
from tests.components.trainer.tiny import Exported


def test_model_passes_when_the_trainer_exported_it(
    exported: Exported, capfd: pytest.CaptureFixture[str]
) -> None:
    texts = ['a good and superb film', 'dull', 'ÄÖÜ <br /> ' * 1_000]
    known = [KnownScore(*pair) for pair in zip(texts, exported.probabilities(texts))]
    smoke_test(str(exported.serving), texts=texts, known=known)
    printed = capfd.readouterr()
    assert printed.out == ''  # TensorFlow prints to the log


def test_project_and_tfx_are_not_imported_when_the_process_runs() -> None:
    code = (
        'import runpy, sys, tensorflow\n'
        f'runpy.run_path({process.__file__!r})\n'
        'print([name for name in ("components", "pipeline", "tfx") if name in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-I', '-c', code], capture_output=True, text=True, check=True
    )
    assert done.stdout == '[]\n'


def test_model_fails_when_it_never_answers(tmp_path: pathlib.Path) -> None:
    model = models.save(
        tmp_path / 'model', by_text=models.loop_forever, by_example=models.loop_forever
    )
    began = time.monotonic()
    with pytest.raises(SmokeTestError, match='it answers in time: expected all scores within 5 s'):
        smoke_test(str(model), timeout_seconds=5)
    assert time.monotonic() - began < 60


def test_model_fails_when_its_process_ends_without_an_answer(tmp_path: pathlib.Path) -> None:
    model = models.save(tmp_path / 'model')
    # TensorFlow alone takes more than that.
    with pytest.raises(SmokeTestError, match=r'it runs: expected an answer, got none: the process'):
        smoke_test(str(model), memory_bytes=32 << 20, timeout_seconds=60)


def test_error_names_the_check_when_the_model_is_damaged(tmp_path: pathlib.Path) -> None:
    model = models.save(tmp_path / 'model')
    (model / 'variables' / 'variables.data-00000-of-00001').unlink()
    with pytest.raises(
        SmokeTestError, match=r'it can be loaded: expected a SavedModel .*, got \w+: .*variables'
    ) as caught:
        smoke_test(str(model))
    assert 'was not pushed' in caught.value.hint
    assert tf.io.gfile.exists(str(model / 'saved_model.pb'))
