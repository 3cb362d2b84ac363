"""Runs the pipeline on a Beam runner, and compares the results of two runs."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import pathlib
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.atomic_write import UNFINISHED
from tests.conftest import SAMPLE, run_command

# Of one row's score, the last bits depend on the batch that it is in.
TOLERANCE = 1e-6

Results = dict[str, Any]


def write_sample(folder: pathlib.Path, files: int = 4) -> pathlib.Path:
    """Write the sample to several files, and return their folder."""
    with (SAMPLE / 'reviews.csv').open(newline='', encoding='utf-8') as file:
        header, *rows = csv.reader(file)
    for number in range(files):
        path = folder / f'reviews-{number}.csv'
        with path.open('w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([header, *rows[number::files]])
    return folder


def run(data: pathlib.Path, root: pathlib.Path, preset: str, *beam: str) -> Results:
    """Run the pipeline; `beam` has the runner, if any, and the options for it."""
    root.mkdir(parents=True)
    done = run_command(*command(data, root, preset, *beam), cwd=root)
    assert done.code == 0, done.err
    return read_results(root, done.json)


def command(data: pathlib.Path, root: pathlib.Path, preset: str, *beam: str) -> list[str]:
    """Return the arguments of pipeline_runner.py for a run."""
    runner = [arg for arg in beam if not arg.startswith('--')]
    options = [arg for arg in beam if arg.startswith('--')]
    flags = [part for name in runner for part in ('--beam-runner', name)]
    flags += ['--set', f'beam.args={json.dumps(options)}']
    return ['run', '--data', str(data), '--preset', preset, '--root', str(root), '--json', *flags]


def read_results(root: pathlib.Path, printed: Any) -> Results:
    """Return what a run has produced.

    Args:
        root: The pipeline root; it has no other run.
        printed: The JSON object that the run printed.
    """
    artifacts = root / 'artifacts' / 'sentiment'
    (examples,) = artifacts.glob('ExampleGen/examples/*')
    (statistics,) = artifacts.glob('StatisticsGen/statistics/*')
    (vocabulary,) = artifacts.glob('Transform/transform_graph/*/transform_fn/assets/*')
    statistics_of = statistics_pb2.DatasetFeatureStatisticsList.FromString
    return {
        'examples': {path.name: _records(path) for path in examples.glob('Split-*')},
        'statistics': {
            path.parent.name: json_format.MessageToDict(statistics_of(path.read_bytes()))
            for path in statistics.glob('Split-*/FeatureStats.pb')
        },
        'texts': json.loads((statistics / 'report' / 'text_statistics.json').read_text()),
        'vocabulary': vocabulary.read_bytes(),
        'metrics': printed['metrics'],
        'outcome': printed['outcome'],
        # Paths that exist only while a node runs.
        'unfinished': [
            path
            for pattern in (UNFINISHED, '.temp_path', '*.part')
            for path in artifacts.rglob(pattern)
        ],
    }


def require_equal(found: Results, expected: Results) -> None:
    """Check that two runs have the same results, and that the first one has pushed a model."""
    found, expected = dict(found), dict(expected)
    statistics = [results.pop('statistics') for results in (found, expected)]
    assert _different(*statistics) == []
    assert found.pop('metrics') == pytest.approx(expected.pop('metrics'), abs=TOLERANCE)
    assert found == expected
    assert (found['outcome'], found['unfinished']) == ('pushed', [])


def _different(found: Any, expected: Any, where: str = '') -> list[str]:
    """List where JSON values differ; numbers in more than the last bits of a sum."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = found.keys() | expected.keys()
        pairs = [(str(key), found.get(key), expected.get(key)) for key in keys]
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = [(str(index), *pair) for index, pair in enumerate(zip(found, expected))]
    elif isinstance(found, float) and isinstance(expected, float):
        same = math.isclose(found, expected, rel_tol=1e-12)
        return [] if same else [f'{where}: {found} and {expected}']
    else:
        return [] if found == expected else [f'{where}: {found!r} and {expected!r}']
    return [line for name, *both in pairs for line in _different(*both, f'{where}/{name}')]


def _records(split: pathlib.Path) -> list[str]:
    """Return the digests of the examples."""
    files = sorted(map(str, split.iterdir()))
    records = tf.data.TFRecordDataset(files, 'GZIP').as_numpy_iterator()
    return sorted(hashlib.sha256(record).hexdigest() for record in records)
