"""Tests that Python code in a model folder or a data file is never executed."""

from __future__ import annotations

import os
import pathlib
import pickle
import shutil
from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf

from components.common import features
from pipeline.doctor.data import CHECKS
from pipeline.doctor.finding import Context, find_all
from pipeline.settings.config import DataConfig
from pipeline.store.sqlite import SqliteBackend
from tests.conftest import Finished, call_command, run_command


class Payload:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f'touch {self.path}',))


@pytest.fixture
def mark(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a path that a payload would create, after checking that it does."""
    path = tmp_path / 'executed'
    pickle.loads(pickle.dumps(Payload(path)))
    assert path.exists()
    path.unlink()
    return path


@pytest.fixture
def version(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return the folder of a model version that has only the labels."""
    folder = tmp_path / 'serving' / '1'
    write_labels(folder)
    return folder


def write_labels(version: pathlib.Path) -> None:
    extra = version / 'assets.extra'
    extra.mkdir(parents=True, exist_ok=True)
    (extra / features.LABELS_ASSET).write_text('["negative", "positive"]')


def save_model(module: tf.Module, serve: Any, version: pathlib.Path) -> None:
    shutil.rmtree(version)
    tf.saved_model.save(module, str(version), signatures={features.TEXT_SIGNATURE: serve})
    write_labels(version)


def predict(version: pathlib.Path, command: Callable[..., Finished] = call_command) -> str:
    """Run `predict`, check that it fails with one line, and return that line."""
    done = command('predict', 'a film', '--serving-dir', str(version.parent), cwd=version.parent)
    assert done.code == 4
    assert done.out == ''
    assert 'Traceback' not in done.err
    assert done.err.count('\n') == 1
    return done.err


def test_python_function_is_not_called_when_a_saved_model_has_one(
    version: pathlib.Path, mark: pathlib.Path
) -> None:
    def payload(texts: Any) -> Any:
        mark.touch()
        return tf.zeros([len(texts)])

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TEXT_INPUT)])
    def serve(text: Any) -> dict[str, Any]:
        return {features.PROBABILITY_KEY: tf.py_function(payload, [text], tf.float32)}

    serve(tf.constant(['called in this process']))
    assert mark.exists()
    mark.unlink()
    save_model(module, serve, version)
    # This process has the function, so another one must run the command.
    assert 'cannot score texts' in predict(version, run_command)
    assert not mark.exists()


def test_lambda_is_not_called_when_a_keras_model_has_one(
    version: pathlib.Path, mark: pathlib.Path
) -> None:
    code = f'lambda x: [x, __import__("os").system("touch {mark}")][0]'
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Lambda(eval(code))(inputs))
    assert mark.exists()
    mark.unlink()
    model.save(version / 'model.keras')
    (version / 'saved_model.pb').write_bytes((version / 'model.keras').read_bytes())
    assert 'cannot be loaded' in predict(version)
    assert not mark.exists()


@pytest.mark.parametrize(
    'name', ['saved_model.pb', 'assets.extra/labels.json', 'variables/variables.index']
)
def test_pickle_is_not_loaded_when_it_is_a_file_of_a_model(
    name: str, version: pathlib.Path, mark: pathlib.Path
) -> None:
    class Scorer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = tf.Variable(0.5)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=features.TEXT_INPUT)])
        def serve(self, text: Any) -> dict[str, Any]:
            return {features.PROBABILITY_KEY: tf.zeros_like(text, tf.float32) + self.bias}

    module = Scorer()
    save_model(module, module.serve, version)
    (version / name).write_bytes(pickle.dumps(Payload(mark)))
    assert 'cannot be loaded' in predict(version)
    assert not mark.exists()


@pytest.mark.parametrize('name', ['a.csv', 'a.jsonl', 'a.tsv', 'a.csv.gz', 'a.tar.gz', 'a.pkl'])
def test_pickle_is_not_loaded_when_it_is_a_data_file(
    name: str, mark: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Payload(mark)))
    context = Context(
        root=tmp_path,
        serving_dir=tmp_path,
        backend=SqliteBackend(tmp_path),
        data=DataConfig(path=str(tmp_path / name)),
    )
    found = list(find_all(CHECKS, context))
    assert found[-1].state == 'problem'
    assert not mark.exists()


@pytest.mark.parametrize('option', ['--config', '--token-file'])
def test_pickle_is_not_loaded_when_it_is_a_settings_file(
    option: str, mark: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'a').write_bytes(pickle.dumps(Payload(mark)))
    command = ('schedule', 'list', '--target', 'kubeflow', '--host', 'http://127.0.0.1:9')
    if option == '--config':
        command = ('config', 'show')
    done = call_command(*command, option, 'a', cwd=tmp_path)
    assert done.code == 2
    assert 'Traceback' not in done.err
    assert not mark.exists()
