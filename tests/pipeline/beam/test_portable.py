"""Results do not depend on the Beam runner."""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator

import pytest

from pipeline.beam.arguments import beam_args
from pipeline.settings.beam import BeamSettings
from tests.components.statistics_gen.test_executor import (
    SPLITS,
    execute,
    our_executor,
    read,
    write_examples,
)
from tests.packaged import install_package
from tests.pipeline.beam.results import Results, require_equal, run, write_sample
from tests.pipeline.beam.services import job_service, worker_pool


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


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The sample, in several files."""
    return write_sample(tmp_path_factory.mktemp('data'))


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
        args = (
            'PortableRunner',
            f'--job_endpoint={endpoint}',
            f'--environment_type={mode}',
            # By default, Beam's client ends a job after 60 s.
            '--job_server_timeout=3600',
        )
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
    with _runner(mode, tmp_path / 'services', site) as beam:
        found = run(data, tmp_path / 'runs', preset, *beam)
    require_equal(found, local(preset))
