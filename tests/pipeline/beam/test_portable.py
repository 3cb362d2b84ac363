"""Results do not depend on the Beam runner."""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.atomic_write import UNFINISHED
from pipeline.beam.arguments import beam_args
from pipeline.settings.beam import BeamSettings
from tests.components.statistics_gen.test_executor import (
    SPLITS,
    execute,
    our_executor,
    read,
    write_examples,
)
from tests.conftest import SAMPLE, run_command
from tests.packaged import install_package
from tests.pipeline.beam.services import job_service, worker_pool

FILES = 4
# Of one row's score, the last bits depend on the batch that it is in.
TOLERANCE = 1e-6


def test_statistics_equal_those_of_a_local_run_when_a_job_service_runs_the_node(
    tmp_path: pathlib.Path,
) -> None:
    examples = write_examples(tmp_path / 'examples')
    local = execute(our_executor(examples), examples, tmp_path / 'local')
    with job_service(tmp_path / 'service') as endpoint:
        options = (f'--job_endpoint={endpoint}', '--environment_type=LOOPBACK')
        args = beam_args(BeamSettings(runner='PortableRunner', args=options))
        portable = execute(
            our_executor(examples), examples, tmp_path / 'portable', beam_args=list(args)
        )
    for split in SPLITS:
        assert read(portable, split) == read(local, split)
    written, expected = (
        {str(path.relative_to(a.uri)) for path in pathlib.Path(a.uri).rglob('*')}
        for a in (portable, local)
    )
    assert written == expected


Results = dict[str, Any]


def run(data: pathlib.Path, root: pathlib.Path, preset: str, *beam: str) -> Results:
    """Run the pipeline; `beam` has the runner, if any, and the options for it."""
    root.mkdir(parents=True)
    runner = [arg for arg in beam if not arg.startswith('--')]
    options = [arg for arg in beam if arg.startswith('--')]
    flags = [part for name in runner for part in ('--beam-runner', name)]
    flags += ['--set', f'beam.args={json.dumps(options)}']
    args = ('run', '--data', str(data), '--preset', preset, '--root', str(root), '--json', *flags)
    done = run_command(*args, cwd=root)
    assert done.code == 0, done.err
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
        'metrics': done.json['metrics'],
        'outcome': done.json['outcome'],
        # Paths that exist only while a node runs.
        'unfinished': [
            path
            for pattern in (UNFINISHED, '.temp_path', '*.part')
            for path in artifacts.rglob(pattern)
        ],
    }


def different(found: Any, expected: Any, where: str = '') -> list[str]:
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
    return [line for name, *both in pairs for line in different(*both, f'{where}/{name}')]


def _records(split: pathlib.Path) -> list[bytes]:
    files = sorted(map(str, split.iterdir()))
    return sorted(tf.data.TFRecordDataset(files, 'GZIP').as_numpy_iterator())


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The sample, in several files."""
    folder = tmp_path_factory.mktemp('data')
    with (SAMPLE / 'reviews.csv').open(newline='', encoding='utf-8') as file:
        header, *rows = csv.reader(file)
    for number in range(FILES):
        path = folder / f'reviews-{number}.csv'
        with path.open('w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([header, *rows[number::FILES]])
    return folder


@pytest.fixture(scope='module')
def local(data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    """Results of a local run by preset."""
    root = tmp_path_factory.mktemp('local')
    return functools.cache(lambda preset: run(data, root / preset, preset))


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The installed package of setup.py, for workers that do not see the checkout."""
    return install_package(tmp_path_factory.mktemp('package'))


@contextlib.contextmanager
def _runner(mode: str, folder: pathlib.Path, site: pathlib.Path) -> Iterator[tuple[str, ...]]:
    """Start the services of a runner, and yield the arguments of `run` for it."""
    if mode.startswith('multi_'):
        yield (f'--direct_running_mode={mode}', '--direct_num_workers=2')
        return
    if mode == 'twice':
        # Beam processes each bundle again, as it does if a worker seems dead.
        yield ('--direct_runner_bundle_repeat=1',)
        return
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(job_service(folder))
        args = ('PortableRunner', f'--job_endpoint={endpoint}', f'--environment_type={mode}')
        if mode == 'EXTERNAL':
            workers = stack.enter_context(worker_pool(folder, code=site))
            args += (f'--environment_config={workers}',)
        yield args


@pytest.mark.slow
@pytest.mark.parametrize(
    ('preset', 'mode'),
    [
        ('ngram', 'LOOPBACK'),
        ('ngram', 'EXTERNAL'),
        ('ngram', 'multi_threading'),
        ('ngram', 'twice'),
        ('tutorial', 'EXTERNAL'),
        ('tutorial', 'multi_processing'),
    ],
)
def test_results_equal_those_of_a_local_run_when_another_runner_reads_the_data(
    preset: str,
    mode: str,
    local: Callable[[str], Results],
    data: pathlib.Path,
    site: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    expected = dict(local(preset))
    with _runner(mode, tmp_path / 'services', site) as beam:
        found = run(data, tmp_path / 'runs', preset, *beam)
    statistics = [results.pop('statistics') for results in (found, expected)]
    assert different(*statistics) == []
    assert found.pop('metrics') == pytest.approx(expected.pop('metrics'), abs=TOLERANCE)
    assert found == expected
    assert (found['outcome'], found['unfinished']) == ('pushed', [])
