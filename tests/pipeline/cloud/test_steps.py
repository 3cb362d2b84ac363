"""The first steps of the compiled Kubeflow pipeline, really executed, each as a process."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from components.entry_point import MOUNTS_VARIABLE, RESOLVED_INPUT
from components.example_gen.summary import ExamplesSummary
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.kubeflow_spec import DRIVER, container_of
from tests.conftest import REPO
from tests.pipeline.cloud import golden

ROOT = 'minio://mlpipeline/v2'


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    file = tmp_path_factory.mktemp('data') / 'reviews.csv'
    rows = [f'Film {n} was {"good" if n % 2 else "bad"},{n % 2}' for n in range(200)]
    file.write_text('\n'.join(['text,label', *rows, '']))
    return file


@pytest.fixture(scope='module')
def compiled(data: pathlib.Path) -> CompiledPipeline:
    config = golden.config(
        f'data.path={data}', f'cloud.pipeline_root={ROOT}', 'serving_dir=/serving'
    )
    return compile_pipeline(config, 'kubeflow')


class Cluster:
    """Plays driver and launcher, as far as these steps need them."""

    def __init__(self, compiled: CompiledPipeline, folder: pathlib.Path) -> None:
        self.mounts = folder
        self._spec = compiled.spec
        self._defaults = compiled.parameter_values([])
        self._runs = 0

    def execute(self, name: str, **produced: Any) -> dict[str, Any]:
        """Run a step's own command; return what it reports."""
        self._runs += 1
        folder = self.mounts / str(self._runs)
        component = self._spec['components'][name]
        outputs = component['outputDefinitions']
        executor_input = {
            'inputs': {'parameterValues': self._parameters(name, produced)},
            'outputs': {
                'outputFile': str(folder / 'output.json'),
                'artifacts': {
                    key: {'artifacts': [{'uri': f'{ROOT}/{self._runs}/{key}', 'type': {}}]}
                    for key in outputs.get('artifacts', {})
                },
                'parameters': {
                    key: {'outputFile': str(folder / key)} for key in outputs.get('parameters', {})
                },
            },
        }
        container = container_of(self._spec, name)
        command = [
            json.dumps(executor_input) if word == '{{$}}' else word
            for word in [sys.executable, *container['command'][1:], *container['args']]
        ]
        done = subprocess.run(
            command,
            cwd=self.mounts,
            env={**os.environ, 'PYTHONPATH': str(REPO), MOUNTS_VARIABLE: str(self.mounts)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads((folder / 'output.json').read_text())
        return report

    def _parameters(self, name: str, produced: dict[str, Any]) -> dict[str, Any]:
        values = {}
        for key, source in self._spec['root']['dag']['tasks'][name]['inputs']['parameters'].items():
            if 'runtimeValue' in source:
                values[key] = source['runtimeValue']['constant']
            elif 'componentInputParameter' in source:
                values[key] = self._defaults[source['componentInputParameter']]
            else:
                values[key] = produced[key]
        return values


def test_example_gen_reads_what_its_driver_found_and_is_run_again_when_the_data_changes(
    compiled: CompiledPipeline, data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    cluster = Cluster(compiled, tmp_path)
    found = cluster.execute(DRIVER)['parameterValues'][RESOLVED_INPUT]
    again = cluster.execute(DRIVER)['parameterValues'][RESOLVED_INPUT]
    # It is a part of the cache key: equal data is found there, and changed data is not.
    assert found == again

    report = cluster.execute('ExampleGen', resolved_input=found)
    (examples,) = report['artifacts']['examples']['artifacts']
    assert examples['uri'] == f'{ROOT}/3/examples'
    fingerprint = json.loads(found)['parameterValues']['input_fingerprint']
    assert examples['metadata']['input_fingerprint'] == fingerprint
    written = tmp_path / 'minio' / 'mlpipeline' / 'v2' / '3' / 'examples'
    summary = ExamplesSummary.read(str(written))
    assert sum(summary.examples(split) for split in ('train', 'val', 'test')) == 200

    with data.open('a') as file:
        file.write('One more,1\n')
    assert cluster.execute(DRIVER)['parameterValues'][RESOLVED_INPUT] != found
