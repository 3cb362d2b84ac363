"""Beam workers can run the code that they get without the orchestration."""

from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
WORKERS = (
    'components.evaluator.workers',
    'components.example_gen.workers',
    'components.statistics_gen.workers',
    'components.transform.vocabulary',
)
# Not rich, which Keras imports.
ORCHESTRATION = {'tfx', 'ml_metadata', 'pipeline', 'kfp', 'click'}
# Names of Beam whose subclasses, or whose functions, run on workers.
_RUN_THERE = {'DoFn', 'CombineFn', 'PTransform', 'Map', 'MapTuple', 'FlatMap', 'FlatMapTuple'}


# An import contract forbids it to this project's own modules; this test imports the libraries, too.
@pytest.mark.slow
def test_no_orchestration_is_imported_when_a_worker_imports() -> None:
    output = subprocess.run(
        [
            sys.executable,
            '-c',
            'import importlib, json, sys\n'
            f'for module in {WORKERS}: importlib.import_module(module)\n'
            'print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    loaded = set(json.loads(output.splitlines()[-1]))
    assert {'apache_beam', 'components'} <= loaded
    assert loaded & ORCHESTRATION == set()


# What a worker of ExampleGen does, with a table of one row.
_WRITE_AND_PUBLISH = """
import json, sys
from components.common.settings import ColumnSettings
from components.example_gen import shards, workers
from components.example_gen.batches import Batch, SourceKind

uri, table = sys.argv[1:]
writer = workers.WriteShards(
    SourceKind.TABLES, ColumnSettings(), split_train=False, uri=uri, shard_bytes=1
)
writer.start_bundle()
writer.process(Batch('train', [table]))
for output in writer.finish_bundle():
    key, stored = output.value
    for renamed in workers.name_shards((key, [stored]), uri, f'{uri}/result.json'):
        shards.publish_shard(*renamed)
print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))
"""


def test_no_tensorflow_is_imported_when_a_worker_writes_examples(tmp_path: pathlib.Path) -> None:
    (tmp_path / '.unfinished').mkdir()
    table = tmp_path / 'a.csv'
    table.write_text('text,label\nA fine film.,pos\n')
    output = subprocess.run(
        [sys.executable, '-c', _WRITE_AND_PUBLISH, str(tmp_path), str(table)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    loaded = set(json.loads(output))
    assert {'apache_beam', 'components'} <= loaded
    assert loaded & {'tensorflow', 'tfx_bsl', *ORCHESTRATION} == set()
    assert len(list((tmp_path / 'Split-train').iterdir())) == 1


def test_what_runs_on_workers_is_in_worker_modules_alone() -> None:
    found = {
        path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')
        for path in (ROOT / 'components').rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == 'beam'
        and node.attr in _RUN_THERE
    }
    # TFMA's view of the metrics, for who computes them anew from the configuration of a run; and an
    # abstract method of TFX's that is never called.
    others = {'components.evaluator.tfma.metrics', 'components.example_gen.executor'}
    assert found == set(WORKERS) | others
