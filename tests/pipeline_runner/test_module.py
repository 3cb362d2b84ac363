"""A user's module through the whole pipeline, and which nodes an edit runs again."""

from __future__ import annotations

import json
import pathlib

import pytest

from components.example_gen.sources import discover
from pipeline.cloud.compile import describe_image
from pipeline.create import create_pipeline
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.settings.user_module import find_user_module
from tests.conftest import (
    NODES,
    REPO,
    SAMPLE,
    call_command,
    run_command,
    smoke_tests_in_this_process,
)
from tests.pipeline.store.conftest import small_table
from tests.test_feature_columns import write_table

IMDB_OF_TFX = 'tfx.examples.imdb.imdb_utils_native_keras'
OF_RUN_FN = (
    'trainer.model.output=logit',
    'trainer.model.train_steps=60',
    'trainer.model.eval_steps=2',
)
LOW_BOUNDS = ('--set', 'gate.min_accuracy=0.4', '--set', 'gate.min_auc=0.51')
# A model that was hardly trained meets it, whatever its weights.
LOWEST_BOUND = {
    'metrics_specs': [
        {
            'metrics': [
                {
                    'class_name': 'BinaryAccuracy',
                    'threshold': {'value_threshold': {'lower_bound': 0.1}},
                }
            ]
        }
    ]
}
BAG = """
import keras
from bag_settings import LEARNING_RATE

def build_model(hparams):
    tokens = keras.Input([100], dtype='int32', name='tokens')
    vectors = keras.layers.Embedding(hparams['vocab_size'], 8)(tokens)
    bag = keras.layers.GlobalAveragePooling1D()(vectors)
    model = keras.Model(tokens, keras.layers.Dense(1)(bag))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    metrics = [keras.metrics.BinaryAccuracy(threshold=0.0)]
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss, metrics=metrics)
    return model
"""


def fingerprints(config: PipelineConfig) -> dict[str, str]:
    pipeline = create_pipeline(config, discover(config.data.path, config.data.columns))
    return {
        node.id: str({**node.exec_properties, 'custom_config': None, 'run_id': None})
        + str(node.exec_properties.get('custom_config'))
        for node in pipeline.components
        if node.id != 'Pusher'
    }


@pytest.mark.parametrize(
    ('source', 'again'),
    [
        ('def build_model(hparams): ...', {'Trainer'}),
        ('def run_fn(fn_args): ...', {'Trainer'}),
        ('def preprocessing_fn(inputs): ...', {'Transform'}),
        ('def run_fn(a): ...\ndef preprocessing_fn(inputs): ...', {'Transform', 'Trainer'}),
    ],
)
def test_nodes_that_call_the_module_run_again_when_it_is_edited(
    source: str, again: set[str], tmp_path: pathlib.Path
) -> None:
    module, beside = tmp_path / 'user_edited.py', tmp_path / 'beside_edited.py'
    module.write_text(f'import beside_edited\n{source}')
    beside.write_text('')
    (tmp_path / 'other.py').write_text('')
    flags = {'data.path': str(SAMPLE), 'root': str(tmp_path / 'runs'), 'module': str(module)}
    settings = ['trainer.model.output=logit'] if 'run_fn' in source else []
    config = load_config(flags=flags, settings=settings)
    before = fingerprints(config)
    (tmp_path / 'other.py').write_text('# edited')
    assert fingerprints(config) == before
    for path in (module, beside):
        before = fingerprints(config)
        path.write_text(path.read_text() + '\n# edited')
        after = fingerprints(config)
        assert {node for node in before if before[node] != after[node]} == again


def test_keras_model_is_pushed_and_trained_again_when_a_module_beside_it_is_edited(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'bag_model.py').write_text(BAG)
    (tmp_path / 'bag_settings.py').write_text('LEARNING_RATE = 0.02\n')
    small_table(tmp_path / 'a.csv')
    command = ('run', '--data', 'a.csv', '--module', 'bag_model.py', '--json', *LOW_BOUNDS)
    done = call_command(*command, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json['config']['preset'] == 'module'
    assert 'val accuracy by epoch' in done.err
    pushed = pathlib.Path(done.json['pushed']['path'])
    card = (pushed / 'assets.extra' / 'model_card.md').read_text()
    assert 'serving_text' in card
    assert 'explain' not in card
    report = (tmp_path / done.json['report']).read_text()
    assert 'bag_model.py' in report
    assert 'The model has no contributions of words.' in report

    (tmp_path / 'bag_settings.py').write_text('LEARNING_RATE = 0.021\n')
    with smoke_tests_in_this_process():
        states = call_command(*command, cwd=tmp_path).states()
    assert [node for node in NODES if states[node] == 'cached'] == list(NODES[:5])

    scored = call_command('predict', 'A wonderful film', cwd=tmp_path)
    assert scored.out.endswith('\tA wonderful film\n')
    explained = call_command('predict', '--explain', 'A wonderful film', cwd=tmp_path)
    assert explained.code == 4
    assert 'leave out --explain' in explained.err


def test_tfx_module_is_pushed_and_serves_examples(tmp_path: pathlib.Path) -> None:
    small_table(tmp_path / 'a.csv')
    options = [option for setting in OF_RUN_FN for option in ('--set', setting)]
    module = str(REPO / 'examples' / 'tfx_module.py')
    done = call_command(
        *('run', '--data', 'a.csv', '--module', module, '--json', *LOW_BOUNDS, *options),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert done.json['outcome'] == 'pushed'
    card = (
        pathlib.Path(done.json['pushed']['path']) / 'assets.extra' / 'model_card.md'
    ).read_text()
    assert 'serving_text' not in card
    scored = call_command('predict', 'A wonderful film', '--json', cwd=tmp_path)
    assert 0 < scored.json['probability'] < 1


def test_error_names_the_line_when_the_module_fails_in_a_node(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'user_failing.py').write_text('def build_model(hparams):\n    return [][1]\n')
    small_table(tmp_path / 'a.csv')
    done = call_command('run', '--data', 'a.csv', '--module', 'user_failing.py', cwd=tmp_path)
    assert done.code == 5
    assert 'build_model of the module user_failing failed at ' in done.err
    assert 'user_failing.py, line 2: IndexError: list index out of range' in done.err
    (log,) = (tmp_path / 'runs' / 'logs').iterdir()
    assert 'return [][1]' in log.read_text()


@pytest.mark.parametrize('target', ['vertex', 'kubeflow'])
def test_compile_says_what_the_image_needs(target: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'my_model.py').write_text('import own\nimport helper\ndef build_model(h): ...')
    (tmp_path / 'helper.py').write_text('')
    (tmp_path / 'own').mkdir()
    (tmp_path / 'own' / '__init__.py').write_text('')
    done = call_command(
        *('compile', '--target', target, '--image', 'registry/r:1', '--module', 'my_model.py'),
        *('--data', 'gs://b/a.csv', '--pipeline-root', 'gs://b/p', '--serving-dir', 'gs://b/s'),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert 'registry/r:1 must contain the module my_model' in done.err
    assert '  COPY helper.py my_model.py /opt/reviews/\n' in done.err
    assert '  COPY own /opt/reviews/own\n' in done.err
    assert 'components.user_module.train.fit_user_model' in done.out
    assert str(tmp_path) not in done.out


def test_image_needs_the_package_when_the_module_is_installed() -> None:
    config = load_config(
        flags={'data.path': 'x.csv', 'module': IMDB_OF_TFX}, settings=['trainer.model.output=logit']
    )
    module = find_user_module(config.module, config.trainer.model, config.preset)
    assert module is not None
    assert 'must contain the package tfx' in describe_image(module, 'i')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('target', 'module', 'settings'),
    [
        (
            'vertex',
            str(REPO / 'examples' / 'stars.py'),
            ('trainer.model.epochs=2', 'data.columns.features=["stars:int", "product:string"]'),
        ),
        ('kubeflow', IMDB_OF_TFX, OF_RUN_FN),
    ],
)
def test_module_is_pushed_when_its_pipeline_is_rehearsed(
    target: str, module: str, settings: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    write_table(tmp_path / 'reviews.csv')
    (tmp_path / 'gate.json').write_text(json.dumps(LOWEST_BOUND))
    settings = (*settings, 'gate.eval_config=gate.json')
    options = [option for setting in settings for option in ('--set', setting)]
    command = ('rehearse', '--target', target, '--data', 'reviews.csv', '--root', 'root')
    command += ('--module', module, '--json')
    done = run_command(*command, *options, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json['outcome'] == 'pushed'


@pytest.mark.slow
def test_imdb_module_of_tfx_is_pushed_as_it_is_installed(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'gate.json').write_text(json.dumps(LOWEST_BOUND))
    settings = (*OF_RUN_FN, 'gate.eval_config=gate.json')
    done = run_command(
        *('run', '--data', str(SAMPLE), '--json', '--module', IMDB_OF_TFX),
        *(option for setting in settings for option in ('--set', setting)),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert done.json['outcome'] == 'pushed'
    assert run_command('predict', 'A wonderful film', cwd=tmp_path).code == 0
