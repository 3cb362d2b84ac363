"""How a run begins: its data is found, its pipeline is its own, it has a name and a log."""

from __future__ import annotations

import contextlib
import difflib
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from typing import NamedTuple

from components.common.atomic_write import remove_parts
from components.common.errors import ConfigError
from components.example_gen.sources import DataSource, discover
from pipeline.beam.arguments import require_valid_options
from pipeline.local.lock import Holder, RunLock, run_lock
from pipeline.local.run_ids import cannot_write, new_run_id
from pipeline.process import signals
from pipeline.report.pages import report_path
from pipeline.results import outcome as outcomes
from pipeline.results.outcome import RunOutcome
from pipeline.settings.cloud import CONTAINER_NODES
from pipeline.settings.config import PipelineConfig
from pipeline.store import places
from pipeline.store.backend import Backend
from pipeline.store.choice import backend_of


class Start(NamedTuple):
    """What a run begins with.

    Attributes:
        source: The data.
        run_id: Name of the run.
        log: Its log file, empty as yet.
        lock: Held while the run lasts.
    """

    source: DataSource
    run_id: str
    log: pathlib.Path
    lock: RunLock


@contextlib.contextmanager
def begun(config: PipelineConfig, *, wait: bool, quiet: bool) -> Iterator[Start]:
    """Begin a run, which lasts as long as the block.

    Args:
        config: The settings.
        wait: Wait for another run of the same pipeline to end.
        quiet: Do not say for which.

    Yields:
        What it begins with.

    Raises:
        ReviewsError: If the data cannot be what was named, another run is under
            way, nothing can be written, or the metadata or the Beam runner cannot be
            used.
    """
    root = config.root_path
    on_wait = _say_nothing if quiet else _say_whom
    # Before anything is written: where the data is wrong, nothing is.
    source = _find(config)
    require_valid_options(config.beam)
    places.require_writable(root, config.serving_path)
    with run_lock(root, config.name, on_wait=on_wait if wait else None) as lock:
        if lock.waited:
            source = _find(config)  # it may have changed meanwhile
        backend = backend_of(config)
        backend.require_usable()
        if lock.killed_run is not None:
            _bury(lock.killed_run, root)
        run_id, log = _new_run(root, backend)
        lock.set_holder(Holder.this_process(run_id, config.model_dump()))
        with _temporary_files(root, config.name):
            yield Start(source, run_id, log, lock)


@contextlib.contextmanager
def _temporary_files(root: pathlib.Path, name: str) -> Iterator[None]:
    """Have temporary files made in a folder that goes with the run, or with the next one.

    TensorFlow leaves some in each run, and removes them when Python winds up,
    which a process that ends at once, or is killed, never does.
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


def resuming() -> contextlib.AbstractContextManager[None]:
    """Tell who stops the command meanwhile how to go on."""
    command = shlex.join(sys.orig_argv)
    return signals.hint_on_interrupt(f'the same command resumes with what is complete: {command}')


def without_nodes(
    config: PipelineConfig, error: BaseException, *, run_id: str = '', log: str = ''
) -> RunOutcome:
    """Return the outcome of a run that did not come as far as its first node."""
    return RunOutcome(
        run_id=run_id,
        outcome='interrupted' if isinstance(error, KeyboardInterrupt) else 'failed',
        name=config.name,
        data=config.data.path,
        log=log,
        error=str(error),
        config=config.model_dump(),
    )


def _find(config: PipelineConfig) -> DataSource:
    return discover(config.data.path, config.data.columns, spans=config.data.spans)


def _say_whom(other: str) -> None:
    print(f'waiting for the end of {other}', file=sys.stderr, flush=True)


def _say_nothing(other: str) -> None:
    pass


def _bury(dead: Holder, root: pathlib.Path) -> None:
    """Record a run that could not do it itself, and remove what it was writing."""
    record = outcomes.records_dir(root) / f'{dead.run_id}.json'
    page = report_path(root, dead.run_id)
    # Whatever it is that stands in the way, a run may do without this.
    with contextlib.suppress(OSError):
        for path in (record, page):
            remove_parts(path)
        if not record.is_file():
            outcomes.save_record(_found_dead(dead, root), root)


def _found_dead(dead: Holder, root: pathlib.Path) -> RunOutcome:
    return RunOutcome(
        run_id=dead.run_id,
        outcome='interrupted',
        name=dead.config['name'],
        data=dead.config['data']['path'],
        log=os.path.relpath(_log_path(root, dead.run_id)),
        error=f'process {dead.pid} ended without a word: it was killed, or the machine went down',
        config=dead.config,
    )


def _log_path(root: pathlib.Path, run_id: str) -> pathlib.Path:
    return root / 'logs' / f'{run_id}.log'


def _new_run(root: pathlib.Path, backend: Backend) -> tuple[str, pathlib.Path]:
    """Name a run by the time, and claim the name: by its log file, and in the store."""

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


def require_nodes(names: Collection[str]) -> None:
    """Check that there are nodes of these ids.

    Raises:
        ConfigError: If not.
    """
    for name in names:
        if name not in CONTAINER_NODES:
            close = difflib.get_close_matches(name, CONTAINER_NODES, n=1)
            nodes = ', '.join(CONTAINER_NODES)
            hint = f'did you mean {close[0]}?' if close else f'the nodes are {nodes}'
            raise ConfigError(f'there is no node {name!r} to execute --again', hint=hint)
