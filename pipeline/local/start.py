"""Starts a run: finds its data, takes the lock, and gives it an id and a log file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from components.common.atomic_write import remove_parts
from components.example_gen.sources import DataSource, discover
from pipeline.beam.arguments import require_valid_options
from pipeline.process import signals
from pipeline.report.pages import report_path
from pipeline.results import outcome as outcomes
from pipeline.results.outcome import RunOutcome
from pipeline.settings.config import PipelineConfig
from pipeline.store.choice import Backend, backend_of
from pipeline.store.folders import cannot_write, require_writable
from pipeline.store.run_ids import new_run_id
from pipeline.store.run_lock import Holder, RunLock, run_lock


class StartedRun(NamedTuple):
    """A run before its first node.

    Attributes:
        source: The data.
        run_id: Id of the run.
        log: Its log file, still empty.
        lock: The lock of the pipeline, held by this run.
    """

    source: DataSource
    run_id: str
    log: pathlib.Path
    lock: RunLock


@contextlib.contextmanager
def start_run(config: PipelineConfig, *, wait: bool, quiet: bool) -> Iterator[StartedRun]:
    """Start a run, which lasts as long as the block.

    Args:
        config: The settings.
        wait: Whether to wait for another run of the same pipeline to end.
        quiet: Whether to print nothing while waiting.

    Yields:
        The run.

    Raises:
        ReviewsError: If the data is not usable, another run is in progress, a
            folder is not writable, or the metadata store or the Beam runner is not
            usable.

    Example:
        with start_run(config, wait=False, quiet=False) as run:
            print(run.run_id)
    """
    root = config.root_path

    def print_holder(other: str) -> None:
        if not quiet:
            print(f'waiting for the end of {other}', file=sys.stderr, flush=True)

    # First, so that nothing is written if the data is not usable.
    source = _discover_data(config)
    require_valid_options(config.beam)
    require_writable(root, config.serving_path)
    with run_lock(root, config.name, on_wait=print_holder if wait else None) as lock:
        if lock.waited:
            source = _discover_data(config)  # the data may have changed meanwhile
        backend = backend_of(config)
        backend.require_usable()
        if lock.killed_run is not None:
            _record_killed_run(lock.killed_run, root)
        run_id, log = _new_run(root, backend)
        lock.set_holder(Holder(run_id=run_id, config=config.model_dump()))
        with _temporary_files(root, config.name):
            yield StartedRun(source, run_id, log, lock)


@contextlib.contextmanager
def _temporary_files(root: pathlib.Path, name: str) -> Iterator[None]:
    """Put temporary files into a folder that this run, or the next one, removes.

    TensorFlow removes its temporary files only when Python exits normally, and not if
    the process is killed.
    """
    folder = root / 'tmp' / name
    before = tempfile.tempdir, os.environ.get('TMPDIR')
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as err:
        raise cannot_write(root, err) from err
    tempfile.tempdir = os.environ['TMPDIR'] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before[0]
        if before[1] is None:
            del os.environ['TMPDIR']
        else:
            os.environ['TMPDIR'] = before[1]
        shutil.rmtree(folder, ignore_errors=True)


def hint_at_resuming() -> contextlib.AbstractContextManager[None]:
    """Print how to resume the run if Ctrl-C or SIGTERM stops the command inside the block."""
    command = shlex.join(sys.orig_argv)
    return signals.hint_on_interrupt(f'to resume from the cached nodes, run: {command}')


def outcome_without_nodes(
    config: dict[str, Any], error: BaseException, *, run_id: str = '', log: str = ''
) -> RunOutcome:
    """Return the outcome of a run with these settings whose nodes are not known."""
    return RunOutcome(
        run_id=run_id,
        outcome='interrupted' if isinstance(error, KeyboardInterrupt) else 'failed',
        name=config['name'],
        data=config['data']['path'],
        log=log,
        error=str(error),
        config=config,
    )


def _discover_data(config: PipelineConfig) -> DataSource:
    return discover(config.data.path, config.data.columns, spans=config.data.spans)


def _record_killed_run(killed: Holder, root: pathlib.Path) -> None:
    """Write the record of a run that was killed, and remove its unfinished files."""
    record = outcomes.records_dir(root) / f'{killed.run_id}.json'
    page = report_path(root, killed.run_id)
    # An error here must not stop the new run.
    with contextlib.suppress(OSError):
        for path in (record, page):
            remove_parts(path)
        if not record.is_file():
            error = KeyboardInterrupt(f'process {killed.pid} was killed, or the machine went down')
            log = os.path.relpath(_log_path(root, killed.run_id))
            outcomes.save_record(
                outcome_without_nodes(killed.config, error, run_id=killed.run_id, log=log), root
            )


def _log_path(root: pathlib.Path, run_id: str) -> pathlib.Path:
    return root / 'logs' / f'{run_id}.log'


def _new_run(root: pathlib.Path, backend: Backend) -> tuple[str, pathlib.Path]:
    """Create a run id, and reserve it with its log file and in the metadata store."""

    def claim(run_id: str) -> None:
        path = _log_path(root, run_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(exist_ok=False)
        try:
            backend.claim(run_id)
        except BaseException:
            path.unlink()
            raise

    run_id = new_run_id(root, claim)
    return run_id, _log_path(root, run_id)
