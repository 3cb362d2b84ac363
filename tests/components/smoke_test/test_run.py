"""Tests of the process of the smoke test: its environment and its exit."""

from __future__ import annotations

import ast
import pathlib
import sys
import time

import pytest
import tensorflow as tf

from components.smoke_test import process
from components.smoke_test.run import SmokeTestError, smoke_test
from tests.components.smoke_test import models


def test_process_imports_tensorflow_and_the_standard_library_alone() -> None:
    # The process runs where nothing else is installed.
    nodes = list(ast.walk(ast.parse(pathlib.Path(process.__file__).read_text(encoding='utf-8'))))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module or '' for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {name.partition('.')[0] for name in imported}
    assert packages - sys.stdlib_module_names == {'tensorflow'}


def test_model_fails_when_it_never_answers(tmp_path: pathlib.Path) -> None:
    model = models.save(
        tmp_path / 'model', by_text=models.wait_forever, by_example=models.wait_forever
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
