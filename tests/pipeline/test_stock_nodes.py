"""TFX's own nodes around those of this project, under TFX's own local runner."""

from __future__ import annotations

import csv
import json
import pathlib
import sys

import keras
import keras_tuner
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import prediction_log_pb2
from tfx.components import BulkInferrer, CsvExampleGen, ImportExampleGen, Tuner
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import bulk_inferrer_pb2, example_gen_pb2, trainer_pb2

from components.common import features
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.component import make_statistics_gen
from components.statistics_gen.text_statistics import read_text_statistics
from pipeline.create import create_pipeline
from pipeline.models.versions import live_version
from pipeline.settings.config import load_config
from tests.components.trainer.tiny import COUNTS, Tiny, make_reviews, make_tiny
from tests.conftest import LOCAL_BEAM_ARGS


@pytest.fixture(scope='session')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.getbasetemp())


_COUNTS = {'train': 200, 'val': 60, 'test': 60}


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Tune the number of units of a model that counts the words of the transform graph."""
    records = tf.data.TFRecordDataset(tf.io.gfile.glob(fn_args.train_files[0]), 'GZIP')
    spec = {
        features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
        features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
    }
    layer = tft.TFTransformOutput(fn_args.transform_graph_path).transform_features_layer()

    def to_counts(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raw = tf.io.parse_example(batch, spec)
        tokens = layer({features.TEXT_KEY: raw[features.TEXT_KEY]})[features.TOKENS_KEY]
        return tf.cast(tokens.row_lengths(), tf.float32)[:, None], raw[features.LABEL_KEY]

    def build(hparams: keras_tuner.HyperParameters) -> keras.Model:
        units = hparams.Choice('units', [2, 3])
        model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
        model.compile(loss='mse', optimizer='sgd')
        return model

    tuner = keras_tuner.RandomSearch(
        build, 'loss', max_trials=1, directory=fn_args.working_dir, project_name='units'
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={'x': records.batch(50).map(to_counts)})


def write_tables(folder: pathlib.Path) -> None:
    folder.mkdir()
    for seed, (split, count) in enumerate(_COUNTS.items()):
        with open(folder / f'{split}.csv', 'w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([('text', 'label'), *make_reviews(count, seed)])


def test_stock_nodes_fit_before_and_after_the_nodes_of_this_project(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TFX's Beam nodes parse the arguments of the process, which are those of pytest here.
    monkeypatch.setattr(sys, 'argv', sys.argv[:1])
    write_tables(tmp_path / 'tables')
    splits = [example_gen_pb2.Input.Split(name=split, pattern=f'{split}.csv') for split in _COUNTS]
    example_gen = CsvExampleGen(
        input_base=str(tmp_path / 'tables'), input_config=example_gen_pb2.Input(splits=splits)
    )
    config = load_config(
        preset='ngram',
        flags={'data.path': 'tables', 'root': str(tmp_path / 'runs')},
        settings=['trainer.model.max_ngram=1', 'gate.min_accuracy=0.6'],
    )
    pipeline = create_pipeline(config, None, example_gen=example_gen)
    nodes = {node.id: node for node in pipeline.components}
    inferrer = BulkInferrer(
        examples=example_gen.outputs['examples'],
        model=nodes['Trainer'].outputs['model'],
        model_blessing=nodes['Evaluator'].outputs['blessing'],
        data_spec=bulk_inferrer_pb2.DataSpec(example_splits=['test']),
        model_spec=bulk_inferrer_pb2.ModelSpec(model_signature_name=['serving_default']),
    )
    tuner = Tuner(
        examples=example_gen.outputs['examples'],
        transform_graph=nodes['Transform'].outputs['transform_graph'],
        tuner_fn=f'{__name__}.{tuner_fn.__name__}',
        train_args=trainer_pb2.TrainArgs(splits=['train']),
        eval_args=trainer_pb2.EvalArgs(splits=['val']),
    )
    pipeline.components = [*pipeline.components, inferrer, tuner]
    LocalDagRunner().run(pipeline)

    live = live_version(config.serving_path)
    assert live is not None
    assert json.loads((live / 'assets.extra' / 'labels.json').read_text()) == ['0', '1']
    assert '| `test` | 60 |' in (live / 'assets.extra' / 'model_card.md').read_text()
    (results,) = config.pipeline_root.glob('BulkInferrer/inference_result/*/*.gz')
    records = tf.data.TFRecordDataset(str(results), 'GZIP').as_numpy_iterator()
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    assert len(logs) == _COUNTS['test']
    outputs = logs[0].predict_log.response.outputs
    assert 0 <= outputs[features.PROBABILITY_KEY].float_val[0] <= 1
    (best,) = config.pipeline_root.glob('Tuner/best_hyperparameters/*/*')
    assert json.loads(best.read_text())['values']['units'] in (2, 3)


def test_examples_of_import_example_gen_are_counted(
    tiny: Tiny, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'argv', sys.argv[:1])
    splits = [
        example_gen_pb2.Input.Split(name=split, pattern=f'Split-{split}/*.gz') for split in COUNTS
    ]
    example_gen = ImportExampleGen(
        input_base=str(tiny.examples), input_config=example_gen_pb2.Input(splits=splits)
    )
    nodes = [example_gen, make_statistics_gen(example_gen.outputs['examples'])]
    pipeline = Pipeline(
        pipeline_name='imported',
        pipeline_root=str(tmp_path),
        components=nodes,
        metadata_connection_config=sqlite_metadata_connection_config(str(tmp_path / 'metadata')),
        beam_pipeline_args=LOCAL_BEAM_ARGS,
    )
    LocalDagRunner().run(pipeline)
    (folder,) = tmp_path.glob('ImportExampleGen/examples/*')
    assert {s: sum(n) for s, n in ExamplesSummary.read(str(folder)).splits.items()} == COUNTS
    (statistics,) = tmp_path.glob('StatisticsGen/statistics/*')
    found = read_text_statistics(str(statistics))
    assert found is not None
    assert {split.name: split.examples for split in found.splits} == COUNTS
