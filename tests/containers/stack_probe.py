"""Runs the pipeline on one stack, and scores pushed models: a program for `test_stacks`.

    python -m tests.containers.stack_probe run FOLDER DATA
    python -m tests.containers.stack_probe score SERVING_DIR OUTPUT

`run` leaves in FOLDER/PRESET the outcome of a run, the pushed version, and the
compiled pipelines without fingerprints and versions. `score` leaves the scores
and explanations of fixed texts in the file OUTPUT.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import pathlib
import subprocess
import sys
from collections.abc import Iterable

from components.common import features
from components.smoke_test.odd_texts import ODD_TEXTS
from pipeline.cloud.targets import TARGETS
from pipeline.settings.presets import OWN_PRESETS

_REPO = pathlib.Path(__file__).resolve().parents[2]
_SAMPLE_TEXTS = 100
_SEED = 1


def run(folder: pathlib.Path, data: pathlib.Path) -> None:
    """Run the pipeline with each preset, and compile it for each target."""
    from pipeline.cloud.compile import compile_pipeline
    from tests.pipeline.cloud import golden

    for preset in OWN_PRESETS:
        results = folder / preset
        options = ['--preset', preset, '--data', data, '--set', f'trainer.seed={_SEED}', '--json']
        options += ['--root', results / 'root', '--serving-dir', results / 'serving']
        command = [sys.executable, _REPO / 'pipeline_runner.py', 'run', *options]
        outcome = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
        (results / 'outcome.json').write_bytes(outcome.stdout)
        for target in TARGETS:
            compiled = compile_pipeline(golden.config(preset=preset), target)
            (results / f'{target}.yaml').write_text(golden.golden_text(compiled), encoding='utf-8')


def score(serving_dir: pathlib.Path, output: pathlib.Path) -> None:
    """Score texts with each signature of the live version."""
    import tensorflow as tf

    from pipeline.predict.model import PushedModel, live_model

    texts = _read_texts()
    path = live_model(serving_dir)
    model = PushedModel(path)
    signature = tf.saved_model.load(str(path)).signatures[features.EXAMPLES_SIGNATURE]
    examples = tf.constant([_serialize(text) for text in texts])
    scores = signature(**{features.EXAMPLES_INPUT: examples})[features.PROBABILITY_KEY]
    found = {
        features.TEXT_SIGNATURE: [float(one.probability) for one in model.score(texts)],
        features.EXAMPLES_SIGNATURE: scores.numpy().tolist(),
        features.EXPLAIN_SIGNATURE: [
            {'': bias, **_sum_by_ngram(parts)} for bias, parts in model.explain(texts)
        ],
    }
    output.write_text(json.dumps(found), encoding='utf-8')


def _read_texts() -> list[str]:
    with (_REPO / 'data' / 'sample' / 'reviews.csv').open(encoding='utf-8', newline='') as file:
        rows = itertools.islice(csv.DictReader(file), _SAMPLE_TEXTS)
        return [*ODD_TEXTS, *(row['text'] for row in rows)]


def _serialize(text: str) -> bytes:
    import tensorflow as tf

    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    found = tf.train.Features(feature={features.TEXT_KEY: value})
    content: bytes = tf.train.Example(features=found).SerializeToString()
    return content


def _sum_by_ngram(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for ngram, value in parts:
        values.setdefault(ngram, []).append(value)
    return {ngram: math.fsum(found) for ngram, found in values.items()}


if __name__ == '__main__':
    commands = {'run': run, 'score': score}
    commands[sys.argv[1]](*map(pathlib.Path, sys.argv[2:]))
