"""TFX's own IMDB example (`tfx.examples.imdb`), on the official splits.

The pipeline, its model, its Beam and its runner come from the example. This module
sets the numbers of steps and the batch sizes that its README recommends for the full
data, and the official splits in place of a hash of the rows. It takes 20 minutes on
two cores.
"""

from __future__ import annotations

import csv
import pathlib
import shutil
import sys
import tempfile
from typing import Any

from benchmarks.peers import PeerTask, tfx_example_module
from benchmarks.reviews import Split, shuffled

_TRAIN_STEPS = 7_000
_EVAL_STEPS = 800
_BATCH = 1_000


def train(task: PeerTask) -> tuple[list[int], Any]:
    train, test = task.read()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        # The example calls the test split eval.
        for name, split in (('train', train), ('eval', test)):
            _write(shuffled(split, task.seed), root / 'data' / f'{name}.csv')
        shutil.copytree(_run(root), task.model_dir, dirs_exist_ok=True)
    score = load(task.model_dir)
    starts = range(0, len(test.texts), _BATCH)
    probabilities = [p for start in starts for p in score(test.texts[start : start + _BATCH])]
    return test.labels, probabilities


def _write(split: Split, path: pathlib.Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['label', 'text'])
        # The CSV reader of the example ends a row at each newline, even inside quotes.
        writer.writerows((label, ' '.join(text.split())) for text, label in zip(*split))


def _run(root: pathlib.Path) -> pathlib.Path:
    from tfx.examples.imdb import imdb_pipeline_native_keras as example
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
    from tfx.proto import example_gen_pb2, trainer_pb2
    from tfx.utils import proto_utils

    # TFX builds a wheel of this file for the Beam workers.
    module_file = root / 'user_code.py'
    shutil.copyfile(tfx_example_module.__file__, module_file)
    serving = root / 'serving'
    pipeline = example._create_pipeline(
        pipeline_name='imdb',
        pipeline_root=str(root / 'pipelines'),
        data_root=str(root / 'data'),
        module_file=str(module_file),
        serving_model_dir=str(serving),
        metadata_path=str(root / 'metadata.db'),
        beam_pipeline_args=example._beam_pipeline_args,
    )
    nodes = {component.id: component for component in pipeline.components}
    split = example_gen_pb2.Input.Split
    inputs = [split(name=name, pattern=f'{name}.csv') for name in ('train', 'eval')]
    properties: list[tuple[str, str, Any]] = [
        ('CsvExampleGen', 'input_config', example_gen_pb2.Input(splits=inputs)),
        ('CsvExampleGen', 'output_config', example_gen_pb2.Output()),
        ('Trainer', 'train_args', trainer_pb2.TrainArgs(num_steps=_TRAIN_STEPS)),
        ('Trainer', 'eval_args', trainer_pb2.EvalArgs(num_steps=_EVAL_STEPS)),
    ]
    for node, name, value in properties:
        nodes[node].exec_properties[name] = proto_utils.proto_to_json(value)
    BeamDagRunner().run(pipeline)
    versions = sorted(serving.iterdir()) if serving.is_dir() else []
    if not versions:
        sys.exit('error: the example pushed no model')
    return versions[-1]


def load(model_dir: pathlib.Path) -> Any:
    # The signature takes serialized examples and returns logits, `[texts, 1]`.
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model_dir))
    signature = loaded.signatures['serving_default']

    def score(texts: list[str], _keep: Any = loaded) -> Any:
        (logits,) = signature(examples=tf.constant([_example(text) for text in texts])).values()
        return tf.sigmoid(logits).numpy().reshape(-1)

    def _example(text: str) -> bytes:
        value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        features = tf.train.Features(feature={'text': value})
        return bytes(tf.train.Example(features=features).SerializeToString())

    return score
