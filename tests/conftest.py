"""Fixtures and helpers that all tests share."""

from __future__ import annotations

import contextlib
import csv
import gc
import hashlib
import io
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

import pytest

import pipeline_runner
from components.common.progress import PROGRESS_LOGGER
from components.common.secrets import secret_scope
from pipeline.beam.arguments import beam_args
from pipeline.process.imports import no_collection
from pipeline.settings.beam import BeamSettings

REPO = pathlib.Path(__file__).resolve().parent.parent
SAMPLE = REPO / 'data' / 'sample'
_ARCHIVE = 'aclImdb_v1.tar.gz'
# In the order of execution.
NODES = (
    'ExampleGen',
    'SchemaGen',
    'StatisticsGen',
    'ExampleValidator',
    'Transform',
    'Trainer',
    'ServedBaseline',
    'Evaluator',
    'Pusher',
)
_NO_ARCHIVE = (
    'needs the IMDB archive: set IMDB_ARCHIVE, or get it with `pipeline_runner.py fetch imdb`'
)
# Folders whose tests share a run of the pipeline, and the name of the run. One worker of
# `make test` runs all tests of a run.
_SHARED_RUNS = {
    'pipeline_runner': 'sample',
    'pipeline/report': 'sample',
    'pipeline/store': 'store',
    # They share the process that steps are forked from.
    'pipeline/cloud/rehearsal': 'rehearsal',
}
# The longest first, so that all workers end at about the same time.
_FIRST = (
    'sample',
    'store',
    'rehearsal',
    'test_imdb.py',
    'test_withdrawn.py',
    'components/evaluator/test_component.py',
    'components/trainer/models/tutorial/test_model.py',
    'test_lifecycle.py',
    'components/transform/test_executor.py',
    'components/evaluator/test_attacks.py',
    'components/trainer/test_run.py',
    'components/trainer/test_explain.py',
    'pipeline/test_stock_nodes.py',
)
# The Beam arguments of a run with default settings.
LOCAL_BEAM_ARGS = list(beam_args(BeamSettings()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--imdb', action='store_true', help='Fail immediately if the IMDB archive is absent.'
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption('--imdb') and find_imdb_archive() is None:
        raise pytest.UsageError(_NO_ARCHIVE)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background jobs in this way, and the commands under test inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Import TensorFlow and TFX as commands do: each garbage collection would visit them."""
    with no_collection():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    groups = {item: _group(item.nodeid) for item in items}
    last = len(_FIRST)
    items.sort(key=lambda item: _FIRST.index(groups[item]) if groups[item] in _FIRST else last)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run the tests of a group on one worker.

    xdist 3.8 ignores its own mark for groups in pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return GroupScheduling(config, log)


def _group(nodeid: str) -> str:
    """Return the group of a test: a shared run, or else its file."""
    file = nodeid.partition('::')[0].removeprefix('tests/')
    return _SHARED_RUNS.get(file.rpartition('/')[0], file)


def pytest_collection_finish() -> None:
    # The garbage collector then searches objects of tests alone, and not those of all libraries.
    gc.freeze()


@pytest.fixture(autouse=True)
def _secret_scope() -> Iterator[None]:
    with secret_scope():
        yield


class Finished(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)

    def states(self) -> dict[str, str]:
        """State of each node, by id."""
        return {node['id']: node['state'] for node in self.json['nodes']}


def run_command(
    *args: str, cwd: pathlib.Path, repo: pathlib.Path = REPO, stdin: str = ''
) -> Finished:
    """Run pipeline_runner.py of a checkout in `cwd`, as a user does."""
    done = subprocess.run(
        [sys.executable, str(repo / 'pipeline_runner.py'), *args],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
        env={**os.environ, 'COLUMNS': '120'},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def call_command(*args: str, cwd: pathlib.Path, stdin: str = '') -> Finished:
    """Run pipeline_runner.py as `run_command` does, but in this process.

    That saves the seconds in which a process imports TensorFlow and TFX.
    """
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(cwd)
        patch.setenv('COLUMNS', '120')
        patch.setattr(sys, 'stdin', io.TextIOWrapper(io.BytesIO(stdin.encode())))
        out, err = (stack.enter_context(_captured(number)) for number in (1, 2))
        patch.setattr(sys, 'stdout', out)
        patch.setattr(sys, 'stderr', err)
        code = pipeline_runner._exit_code(list(args))
        for file in (out, err):
            file.seek(0)
        return Finished(code, out.read(), err.read())


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    tasks = pathlib.Path('/proc', str(pid), 'task').glob('*/children')
    return [int(child) for task in tasks for child in task.read_text(encoding='ascii').split()]


@contextlib.contextmanager
def _captured(descriptor: int) -> Iterator[TextIO]:
    """Redirect a file descriptor to a file."""
    saved = os.dup(descriptor)
    try:
        with tempfile.TemporaryFile('w+', encoding='utf-8', newline='') as file:
            os.dup2(file.fileno(), descriptor)
            yield file
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


@contextlib.contextmanager
def smoke_tests_in_this_process() -> Iterator[None]:
    """Have the smoke test of each model run in this process instead of one of its own."""
    import tensorflow as tf

    from components.smoke_test import process, run

    def smoke_test(model_dir: str, **options: Any) -> None:
        try:
            process.check(tf, run.make_request(model_dir, **options))
        except process.CheckFailed as err:
            raise run.SmokeTestError(str(err)) from err

    with pytest.MonkeyPatch.context() as patch:
        for module in (
            'components.pusher.executor',
            'components.served_baseline.executor',
            'pipeline.doctor.served',
            'pipeline.models.rollback',
        ):
            patch.setattr(f'{module}.smoke_test', smoke_test)
        yield


@pytest.fixture
def quick_smoke_tests() -> Iterator[None]:
    """Save the 3 s that the process of a smoke test takes, where it is not what is tested."""
    with smoke_tests_in_this_process():
        yield


def snapshot(folder: pathlib.Path) -> dict[str, str]:
    """Return the hash of each file in a folder, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file()
    }


def restore_folder(folder: pathlib.Path, copy: pathlib.Path) -> None:
    """Make a folder equal to a copy of an earlier state, if tests changed it since."""
    if snapshot(folder) != snapshot(copy):
        shutil.rmtree(folder)
        shutil.copytree(copy, folder, symlinks=True)


class FirstRun(NamedTuple):
    """A folder with a first run, and a copy of its content."""

    home: pathlib.Path
    copy: pathlib.Path
    finished: Finished


@pytest.fixture(scope='session')
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    """A run on the sample data."""
    home = tmp_path_factory.mktemp('home')
    finished = run_command('run', '--data', str(SAMPLE), '--json', cwd=home)
    copy = shutil.copytree(home, tmp_path_factory.mktemp('copy') / 'home', symlinks=True)
    return FirstRun(home, copy, finished)


def find_imdb_archive() -> pathlib.Path | None:
    """Return the official IMDB archive, if this machine has it."""
    named = os.environ.get('IMDB_ARCHIVE')
    candidates = [REPO / _ARCHIVE, REPO.parent / 'shared' / 'data' / _ARCHIVE]
    # A container engine would read a relative path as the name of a volume.
    paths = [pathlib.Path(os.path.abspath(named))] if named else candidates
    return next((path for path in paths if path.is_file()), None)


@pytest.fixture(scope='session')
def imdb_archive() -> pathlib.Path:
    """Return the official IMDB archive; skip the test if it is absent."""
    path = find_imdb_archive()
    if path is None:
        pytest.skip(_NO_ARCHIVE)
    return path


@pytest.fixture
def short_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the readers reject rows of more than 40 characters."""
    monkeypatch.setattr('components.readers.lines.MAX_ROW_CHARACTERS', 40)


@pytest.fixture(autouse=True)
def _restored_process_state() -> Iterator[None]:
    """Restore the state of the process after each test, so that tests pass in any order."""
    environment, folder, path = dict(os.environ), os.getcwd(), list(sys.path)
    field_size, temporary_folder = csv.field_size_limit(), tempfile.tempdir
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loggers = [logging.getLogger(name) for name in (None, PROGRESS_LOGGER)]
    logging_states = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for name in os.environ.keys() - environment.keys() - {'PYTEST_CURRENT_TEST'}:
        del os.environ[name]
    os.environ.update(
        {name: value for name, value in environment.items() if name != 'PYTEST_CURRENT_TEST'}
    )
    os.chdir(folder)
    sys.path[:] = path
    csv.field_size_limit(field_size)
    tempfile.tempdir = temporary_folder
    for number, handler in signals.items():
        signal.signal(number, handler)
    for logger, level, handlers in logging_states:
        logger.setLevel(level)
        for added in set(logger.handlers) - set(handlers):
            logger.removeHandler(added)
