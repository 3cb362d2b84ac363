"""Which SavedModels are the same model, whatever their bytes are."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from components.common import model_identity
from components.common.model_identity import identity_of_model, names_of_model
from components.common.model_versions import digest_of_model
from tests.components.trainer.tiny import Tiny, build, export_model, shift_bias
from tests.conftest import REPO

LOWER, UPPER = tf.strings.lower, tf.strings.upper
# Models differ in one of these.
USUAL: dict[str, Any] = {
    'weights': (1.5, -0.5),
    'words': ('good', 'bad'),
    'clean': LOWER,
    'threshold': 2,
    'swap_branches': False,
    'swap_variables': False,
    'tables': 1,
    'output': 'probability',
    'signature': 'serving_text',
}


def save(folder: pathlib.Path, **changes: Any) -> pathlib.Path:
    """Write a model with variables, a vocabulary, a branch, a loop and a custom gradient.

    Args:
        folder: The folder of the model. The vocabulary has a path in it while it is saved.
        changes: What differs from `USUAL`.
    """
    of: dict[str, Any] = {**USUAL, **changes}
    words = folder.with_suffix('.transformed') / 'words'
    words.parent.mkdir(parents=True)
    words.write_text('\n'.join(of['words']) + '\n')

    def table() -> tf.lookup.StaticVocabularyTable:
        kinds = (tf.string, tf.lookup.TextFileIndex.WHOLE_LINE)
        values = (tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
        file = tf.lookup.TextFileInitializer(str(words), *kinds, *values)
        return tf.lookup.StaticVocabularyTable(file, 1)

    module = tf.Module()
    module.tables = [table() for _ in range(of['tables'])]
    module.first, module.second = (tf.Variable(weight) for weight in of['weights'])

    @tf.custom_gradient
    def scale(value: tf.Tensor) -> Any:
        return value * module.first, lambda upstream, variables=None: (upstream, [upstream])

    def score(text: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = module.tables[0].lookup(of['clean'](text)) + module.tables[-1].lookup(text)
        branches = [lambda: ids * 2, lambda: ids + 1]
        if of['swap_branches']:
            branches.reverse()
        ids = tf.cond(tf.size(text) > of['threshold'], *branches)
        (ids,) = tf.while_loop(lambda x: tf.reduce_max(x) < 9, lambda x: [x + 1], [ids])
        numbers = tf.cast(ids, tf.float32)
        if of['swap_variables']:
            return {of['output']: tf.sigmoid(numbers * module.second + module.first)}
        return {of['output']: tf.sigmoid(scale(numbers) + module.second)}

    spec = tf.TensorSpec([None], tf.string, name='text')
    module.score = tf.function(score, input_signature=[spec])
    concrete = module.score.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={of['signature']: concrete})
    return folder


def train_elsewhere(folder: pathlib.Path, unrelated: int) -> pathlib.Path:
    """Save the usual model in a process that traced so many functions before."""
    code = (
        'import pathlib, sys\n'
        'import tensorflow as tf\n'
        'from tests.components.common.test_model_identity import save\n'
        'for number in range(int(sys.argv[2])):\n'
        '    tf.function(lambda x: x + number)(1)\n'
        'save(pathlib.Path(sys.argv[1]))\n'
    )
    command = [sys.executable, '-c', code, str(folder), str(unrelated)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    return folder


@pytest.fixture(scope='module')
def usual(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return save(tmp_path_factory.mktemp('usual') / 'model')


def test_identity_is_equal_when_two_processes_save_the_model(tmp_path: pathlib.Path) -> None:
    one = train_elsewhere(tmp_path / 'one', unrelated=0)
    other = train_elsewhere(tmp_path / 'another folder' / 'two', unrelated=40)
    assert digest_of_model(str(one)) != digest_of_model(str(other))
    assert identity_of_model(str(one)) == identity_of_model(str(other))
    assert names_of_model(str(one)) & names_of_model(str(other)) == {identity_of_model(str(one))}


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
    assert identity_of_model(str(save(tmp_path / 'same'))) == identity_of_model(str(usual))
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
