"""TFX's own IMDB example (`tfx.examples.imdb`), on the official splits.

The pipeline, its model, its Beam and its runner come from the example. This module
sets the numbers of steps and the batch sizes that its README recommends for the full
data, and the official splits in place of a hash of the rows. It takes 20 minutes on
two cores.
"""

from __future__ import annotations

import argparse
import csv
import pathlib
import shutil
import sys
import tempfile
from typing import Any

from benchmarks.peers import tfx_example_module
from benchmarks.peers.report import parse, report
from benchmarks.reviews import Split, read_splits, shuffled

_TRAIN_STEPS = 7_000
_EVAL_STEPS = 800
_BATCH = 1_000
# The names of the splits in the example.
_SPLITS = {'train': 'train', 'test': 'eval'}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--train-steps', type=int, default=_TRAIN_STEPS)
    parser.add_argument('--eval-steps', type=int, default=_EVAL_STEPS)
    arguments = parse(parser)
    splits = read_splits(arguments.archive)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, example_name in _SPLITS.items():
            _write(shuffled(splits[name], arguments.seed), root / 'data' / f'{example_name}.csv')
        pushed = _run(root, arguments.options.train_steps, arguments.options.eval_steps)
        shutil.copytree(pushed, arguments.model_dir, dirs_exist_ok=True)
    probabilities = _probabilities(arguments.model_dir, splits['test'].texts)
    report(splits['test'].labels, probabilities, arguments.model_dir)


def _write(split: Split, path: pathlib.Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['label', 'text'])
        # The CSV reader of the example ends a row at each newline, even inside quotes.
        writer.writerows((label, ' '.join(text.split())) for text, label in zip(*split))


def _run(root: pathlib.Path, train_steps: int, eval_steps: int) -> pathlib.Path:
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
    inputs = [split(name=name, pattern=f'{name}.csv') for name in _SPLITS.values()]
    properties: list[tuple[str, str, Any]] = [
        ('CsvExampleGen', 'input_config', example_gen_pb2.Input(splits=inputs)),
        ('CsvExampleGen', 'output_config', example_gen_pb2.Output()),
        ('Trainer', 'train_args', trainer_pb2.TrainArgs(num_steps=train_steps)),
        ('Trainer', 'eval_args', trainer_pb2.EvalArgs(num_steps=eval_steps)),
    ]
    for node, name, value in properties:
        nodes[node].exec_properties[name] = proto_utils.proto_to_json(value)
    BeamDagRunner().run(pipeline)
    versions = sorted(serving.iterdir()) if serving.is_dir() else []
    if not versions:
        sys.exit('error: the example pushed no model')
    return versions[-1]


def _probabilities(model: pathlib.Path, texts: list[str]) -> Any:
    import numpy as np

    from benchmarks.peers.tfx_example_scorer import load_scorer

    score = load_scorer(model)
    starts = range(0, len(texts), _BATCH)
    return np.concatenate([score(texts[start : start + _BATCH]) for start in starts])


if __name__ == '__main__':
    main()
