"""Which SavedModels are the same model, whatever their bytes are."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from components.common import model_identity
from components.common.model_identity import identity_of_model, names_of_model
from components.common.model_versions import digest_of_model
from tests.components.common.saved_models import UPPER, save
from tests.components.trainer.tiny import Tiny, build, export_model, shift_bias
from tests.conftest import REPO


def save_elsewhere(folder: pathlib.Path) -> pathlib.Path:
    """Save the usual model in another process, which traced many functions before."""
    code = (
        'import pathlib, sys\n'
        'import tensorflow as tf\n'
        'from tests.components.common.saved_models import save\n'
        'for number in range(40):\n'
        '    tf.function(lambda x: x + number)(1)\n'
        'save(pathlib.Path(sys.argv[1]))\n'
    )
    command = [sys.executable, '-c', code, str(folder)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    return folder


@pytest.fixture(scope='module')
def usual(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return save(tmp_path_factory.mktemp('usual') / 'model')


def test_identity_is_equal_when_the_model_is_saved_again(
    usual: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    one = str(usual)
    same = save(tmp_path / 'same')
    for other in (str(same), str(save_elsewhere(tmp_path / 'another folder' / 'two'))):
        assert digest_of_model(one) != digest_of_model(other)
        assert identity_of_model(one) == identity_of_model(other)
        assert names_of_model(one) & names_of_model(other) == {identity_of_model(one)}


def test_identity_is_equal_when_the_trainer_exports_a_model_again(
    tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    model = build()
    for name in ('one', 'two'):
        export_model(model, tiny, tmp_path / name)
    export_model(shift_bias(model, 0.001), tiny, tmp_path / 'other')
    one, two, other = (str(tmp_path / name) for name in ('one', 'two', 'other'))
    assert digest_of_model(one) != digest_of_model(two)
    assert identity_of_model(one) == identity_of_model(two)
    assert identity_of_model(one) != identity_of_model(other)


@pytest.mark.parametrize(
    'change',
    [
        {'weights': (1.5, -0.25)},
        {'weights': (-0.5, 1.5)},
        {'words': ('bad', 'good')},
        {'words': ('good', 'bad', 'dull')},
        {'clean': UPPER},
        {'threshold': 3},
        {'swap_branches': True},
        {'swap_variables': True},
        {'tables': 2},
        {'output': 'score'},
        {'signature': 'serving_default'},
    ],
    ids='-'.join,
)
def test_identity_differs_when_the_model_computes_something_else(
    change: dict[str, Any], usual: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    changed = save(tmp_path / 'model', **change)
    assert identity_of_model(str(changed)) != identity_of_model(str(usual))


@pytest.mark.parametrize('name', ['labels.json', 'settings.json'])
def test_identity_differs_when_labels_or_settings_do(
    name: str, usual: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    one, other = (shutil.copytree(usual, tmp_path / name) for name in ('one', 'other'))
    for model, content in ((one, '["neg", "pos"]'), (other, '["pos", "neg"]')):
        (model / 'assets.extra').mkdir()
        (model / 'assets.extra' / name).write_text(content)
    assert identity_of_model(str(one)) != identity_of_model(str(other))


def test_identity_is_equal_when_only_checksums_and_debug_information_differ(
    usual: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copy = shutil.copytree(usual, tmp_path / 'copy')
    (copy / 'fingerprint.pb').unlink()
    (copy / 'debug').mkdir()
    (copy / 'debug' / 'saved_model_debug_info.pb').write_text('stack traces')
    assert identity_of_model(str(copy)) == identity_of_model(str(usual))


def _truncate_graph(model: pathlib.Path) -> None:
    path = model / 'saved_model.pb'
    path.write_bytes(path.read_bytes()[:-100])


def _empty_graph(model: pathlib.Path) -> None:
    (model / 'saved_model.pb').write_bytes(b'')


def _rename_an_output(model: pathlib.Path) -> None:
    """Let a signature return the output of a node that the graph does not contain."""
    path = model / 'saved_model.pb'
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    saved.meta_graphs[0].signature_def['serving_text'].outputs['probability'].name = 'none:0'
    path.write_bytes(saved.SerializeToString())


def _truncate_variables(model: pathlib.Path) -> None:
    path = model / 'variables' / 'variables.data-00000-of-00001'
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ('harm', 'reason'),
    [
        (_truncate_graph, 'saved_model.pb is not a SavedModel'),
        (_empty_graph, 'saved_model.pb contains no graph'),
        (_rename_an_output, "saved_model.pb refers to 'none', which it does not contain"),
        (_truncate_variables, 'its variables cannot be read'),
    ],
)
def test_model_is_compared_by_its_bytes_when_it_cannot_be_read(
    harm: Callable[[pathlib.Path], None],
    reason: str,
    usual: pathlib.Path,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = shutil.copytree(usual, tmp_path / 'model')
    harm(model)
    model_identity._known.clear()
    found = identity_of_model(str(model))
    assert found.endswith(f':{digest_of_model(str(model))}')
    assert f'The model in {model} is compared by its bytes: ' in caplog.text
    assert reason in caplog.text
    assert found == identity_of_model(str(shutil.copytree(model, tmp_path / 'copy')))
