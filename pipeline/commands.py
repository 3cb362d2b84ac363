"""What each command of the command line does, once its words are parsed."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import logging
import os
import pathlib
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from components.errors import DataError, NotBlessedError, ReviewsError
from components.example_gen.sources import discover
from pipeline import outcome as outcomes
from pipeline.config import PipelineConfig, serving_path
from pipeline.logs import Terminal, framework_noise_to
from pipeline.outcome import RunOutcome
from pipeline.run_ids import new_run_id

DEFAULT_ROOT = 'runs'
DEFAULT_NAME = 'sentiment'


def run_locally(config: PipelineConfig, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Run the pipeline on this machine and show what comes of it.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If a node failed, or the data cannot be what was named.
    """
    try:
        source = discover(config.data.path, config.data.columns, spans=config.data.spans)
        run_id, log = _new_run(config.root_path)
    except ReviewsError as err:
        if as_json:
            failed = RunOutcome(
                run_id='', outcome='failed', name=config.name, data=config.data.path, error=str(err)
            )
            print_json(failed.to_json())
        raise
    with framework_noise_to(log) as terminal:
        outcome, error = _run(config, source, run_id, log, terminal, quiet=quiet)
        outcome = _with_report(outcome, config.root_path)
        if error is not None and verbose:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json(outcome.to_json())
    elif error is None and not quiet:
        from pipeline.console import print_summary

        print_summary(outcome, sys.stdout)
    if outcome.report is None and not quiet:
        print(f'warning: no report could be made; the log says why: {outcome.log}', file=sys.stderr)
    if isinstance(error, ReviewsError):
        error.log, error.report = outcome.log, outcome.report or ''
        raise error
    if outcome.outcome == 'not_blessed':
        raise NotBlessedError(_first_failure(outcome))


def _run(
    config: PipelineConfig,
    source: Any,
    run_id: str,
    log: pathlib.Path,
    terminal: Terminal,
    *,
    quiet: bool,
) -> tuple[RunOutcome, Exception | None]:
    from pipeline.console import ProgressLines

    with ProgressLines(terminal.err, quiet=quiet) as progress:
        progress.starting(f'{config.name}, preset {config.preset}, on {config.data.path}')
        with no_collection():
            from pipeline.local_runner import run_pipeline

        outcome, error = run_pipeline(
            config, source, progress, run_id=run_id, log=os.path.relpath(log)
        )
    outcomes.save_record(outcome, config.root_path)
    return outcome, error


def _with_report(outcome: RunOutcome, root: pathlib.Path) -> RunOutcome:
    """Write the report of a run, and say in its record where it is."""
    from pipeline.report.command import write_report

    try:
        reported = dataclasses.replace(outcome, report=write_report(outcome, root))
        outcomes.save_record(reported, root)
    except Exception:  # whatever it is, the run is what it was
        logging.getLogger(__name__).exception('the report could not be made')
        return outcome
    return reported


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Spare the garbage collector the modules that are imported in the block.

    They are never garbage, but it looks through all of them again and again:
    two fifths of the CPU time of importing TFX, some more in each node, and at
    the exit.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _new_run(root: pathlib.Path) -> tuple[str, pathlib.Path]:
    """Name a run by the time, and claim the name by making its log file."""
    folder = root / 'logs'

    def claim(run_id: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'{run_id}.log').touch(exist_ok=False)

    run_id = new_run_id(root, claim)
    return run_id, folder / f'{run_id}.log'


def _first_failure(outcome: RunOutcome) -> str:
    for check in outcome.thresholds:
        if not check.passed:
            where = f' for {check.slice}' if check.slice else ''
            value = 'missing' if check.value is None else f'{check.value:.4f}'
            return f'not blessed: {check.metric}{where} is {value}, expected {check.bound}'
    return 'not blessed: the Evaluator found no metric that meets its bound'


def serving_location(
    *, root: str | None = None, name: str | None = None, serving_dir: str | None = None
) -> pathlib.Path:
    """Return the folder of versions that these options mean."""
    if serving_dir is not None:
        return pathlib.Path(os.path.abspath(serving_dir))
    return serving_path(root or DEFAULT_ROOT, name or DEFAULT_NAME)


def fetch_imdb(output: str) -> None:
    """Get the IMDB archive, with a progress bar.

    Raises:
        ReviewsError: If it cannot be had, or cannot be written.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from data.fetch import IMDB_URL, fetch_imdb

    console = Console(stderr=True, highlight=False)
    console.print(f'from {IMDB_URL}', markup=False)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task('', total=None)
        path = fetch_imdb(
            pathlib.Path(output),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(path)


def list_runs(root: str | None, *, as_json: bool) -> None:
    """Show all runs below a root.

    Raises:
        DataError: If there are none.
    """
    from pipeline.console import print_runs

    folder = pathlib.Path(os.path.abspath(root or DEFAULT_ROOT))
    records = outcomes.load_records(folder)
    if as_json:
        print_json(records)
    elif not records:
        raise DataError(f'no run below {folder}', hint='run one, or name its --root')
    else:
        print_runs(records, sys.stdout)


def show_curves(root: str | None, name: str | None, port: int | None) -> None:
    """Run TensorBoard on the runs below a root, until it is interrupted.

    Raises:
        ReviewsError: If there are none, or TensorBoard cannot start.
    """
    from pipeline.tensorboard import find_curves, serve

    serve(find_curves(pathlib.Path(os.path.abspath(root or DEFAULT_ROOT)), name), port)


def print_json(value: Any) -> None:
    """Print what a command is asked for with --json."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
