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
