"""The first steps of the compiled pipelines, really executed, each as a process."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from components.common.entry_point import MOUNTS_VARIABLE, RESOLVED_INPUT
from components.example_gen.summary import ExamplesSummary
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.compiled import CompiledPipeline
from pipeline.cloud.kubeflow_spec import DRIVER, container_of
from pipeline.cloud.targets import Target
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

    def __init__(
        self, compiled: CompiledPipeline, folder: pathlib.Path, *, root: str = ROOT
    ) -> None:
        self.mounts = folder
        self.found: dict[str, Any] = {}
        self._root = root
        self._typed = compiled.target == 'vertex'
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
                    key: {
                        'artifacts': [
                            {
                                'uri': f'{self._root}/{self._runs}/{key}',
                                'type': output['artifactType'] if self._typed else {},
                            }
                        ]
                    }
                    for key, output in outputs.get('artifacts', {}).items()
                },
                'parameters': {
                    key: {'outputFile': str(folder / key)} for key in outputs.get('parameters', {})
                },
            },
        }
        container = container_of(self._spec, name)
        hook = container.get('lifecycle', {}).get('preCacheCheck')
        if hook is not None:
            self._start(hook, executor_input)
            self.found = json.loads((folder / 'output.json').read_text())
        self._start(container, executor_input)
        report: dict[str, Any] = json.loads((folder / 'output.json').read_text())
        return report

    def _start(self, program: dict[str, Any], executor_input: dict[str, Any]) -> None:
        command = [
            json.dumps(executor_input) if word == '{{$}}' else word
            for word in [sys.executable, *program['command'][1:], *program['args']]
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


def write_span(data: pathlib.Path, name: str, rows: int) -> None:
    (data / name).mkdir(parents=True)
    texts = [f'Film {name} {n} was {"good" if n % 2 else "bad"},{n % 2}' for n in range(rows)]
    (data / name / 'reviews.csv').write_text('\n'.join(['text,label', *texts, '']))


@pytest.fixture
def spans(tmp_path: pathlib.Path) -> pathlib.Path:
    """Three days, of which two are read; their examples can be told by their number."""
    folder = tmp_path / 'reviews'
    for day, rows in (('day-20251230', 10), ('day-20251231', 100), ('day-20260102', 120)):
        write_span(folder, day, rows)
    return folder


def compile_spans(spans: pathlib.Path, target: Target, root: str) -> CompiledPipeline:
    return compile_pipeline(
        golden.config(
            f'data.path={spans}/day-{{YYYY}}{{MM}}{{DD}}/*.csv',
            'data.spans=2',
            f'cloud.pipeline_root={root}',
            'serving_dir=/serving',
        ),
        target,
    )


def count(examples: pathlib.Path) -> int:
    summary = ExamplesSummary.read(str(examples))
    return sum(summary.examples(split) for split in ('train', 'val', 'test'))


# As TFX writes them: the type has a property of the first one's name, which it does not use.
WINDOW = {'custom:span': 20455, 'spans': '2 spans 2025-12-31 to 2026-01-02'}


def test_newest_spans_are_found_when_the_run_happens_on_kubeflow(
    spans: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    cluster = Cluster(compile_spans(spans, 'kubeflow', ROOT), tmp_path)
    found = cluster.execute(DRIVER)['parameterValues'][RESOLVED_INPUT]
    report = cluster.execute('ExampleGen', resolved_input=found)
    assert count(tmp_path / 'minio' / 'mlpipeline' / 'v2' / '2' / 'examples') == 220
    metadata = report['artifacts']['examples']['artifacts'][0]['metadata']
    assert metadata.items() >= WINDOW.items()

    write_span(spans, 'day-20260103', 30)
    newer = json.loads(cluster.execute(DRIVER)['parameterValues'][RESOLVED_INPUT])
    config = json.loads(newer['parameterValues']['input_config'])
    days = [split['pattern'] for split in config['splits']]
    assert days == ['day-20260102/*.csv', 'day-20260103/*.csv']


def test_newest_spans_are_found_when_the_run_happens_on_vertex(
    spans: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    root = str(tmp_path / 'root')
    service = Cluster(compile_spans(spans, 'vertex', root), tmp_path, root=root)
    service.execute('ExampleGen')
    assert count(tmp_path / 'root' / '1' / 'examples') == 220
    # What the service takes over, into the cache key and onto the artifact.
    fingerprint = service.found['parameterValues']['input_fingerprint']
    assert fingerprint.count('split:all-') == 2
    assert service.found['parameterValues']['span'] == WINDOW['custom:span']
    (examples,) = service.found['artifacts']['examples']['artifacts']
    assert examples['metadata'] == {**WINDOW, 'input_fingerprint': fingerprint}
