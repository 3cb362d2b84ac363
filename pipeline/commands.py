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
from typing import Any, TextIO

from components.errors import DataError, NotBlessedError, ReviewsError
from pipeline import interrupts, serving_store
from pipeline import outcome as outcomes
from pipeline.config import PipelineConfig, serving_path
from pipeline.logs import Terminal, framework_noise_to
from pipeline.outcome import RunOutcome
from pipeline.run_start import Start, begun, resuming, without_nodes

DEFAULT_ROOT = 'runs'
DEFAULT_NAME = 'sentiment'


def run_locally(
    config: PipelineConfig, *, as_json: bool, quiet: bool, verbose: bool, wait: bool
) -> None:
    """Run the pipeline on this machine and show what comes of it.

    Args:
        config: The settings.
        as_json: Print the outcome as JSON.
        quiet: Show errors only.
        verbose: Show the traceback of an error.
        wait: Wait for another run of the same pipeline to end, not to be refused.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If a node failed, the data cannot be what was named, or
            another run is under way.
        KeyboardInterrupt: If it was interrupted; what there is was shown.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(resuming())
        try:
            start = stack.enter_context(begun(config, wait=wait, quiet=quiet))
        except (ReviewsError, KeyboardInterrupt) as err:
            if as_json:
                print_json(without_nodes(config, err).to_json())
            raise
        _run_begun(config, start, as_json=as_json, quiet=quiet, verbose=verbose)


def _run_begun(
    config: PipelineConfig, start: Start, *, as_json: bool, quiet: bool, verbose: bool
) -> None:
    with framework_noise_to(start.log) as terminal:
        outcome, error = _run(config, start, terminal, as_json=as_json, quiet=quiet)
        # Who stops a run is not kept waiting for its page; `report` makes it.
        if outcome.outcome != 'interrupted':
            try:
                outcome = _with_report(outcome, config.root_path)
            except KeyboardInterrupt as err:
                error = err
        start.lock.give_back()
        interrupted = isinstance(error, KeyboardInterrupt)
        if error is not None and verbose and not interrupted:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json(outcome.to_json())
    elif error is None and not quiet:
        from pipeline.console import print_summary

        print_summary(outcome, sys.stdout)
    if outcome.report is None and not quiet and not interrupted:
        print(f'warning: no report could be made; the log says why: {outcome.log}', file=sys.stderr)
    if isinstance(error, ReviewsError):
        error.log, error.report = outcome.log, outcome.report or ''
    if error is not None:
        raise error
    if outcome.outcome == 'not_blessed':
        raise _first_failure(outcome)


def _run(
    config: PipelineConfig, start: Start, terminal: Terminal, *, as_json: bool, quiet: bool
) -> tuple[RunOutcome, BaseException | None]:
    from pipeline.console import ProgressLines

    def keep_unfinished(outcome: RunOutcome) -> None:
        _keep_record(outcome, config.root_path)
        if as_json:
            print_json(outcome.to_json(), terminal.out)

    log = os.path.relpath(start.log)
    outcome: RunOutcome | None = None
    try:
        with ProgressLines(terminal.err, quiet=quiet) as progress:
            progress.starting(f'{config.name}, preset {config.preset}, on {config.data.path}')
            with no_collection():
                from pipeline.local_runner import run_pipeline

            outcome, error = run_pipeline(
                config,
                start.source,
                progress,
                run_id=start.run_id,
                log=log,
                if_ended=keep_unfinished,
            )
    except (Exception, KeyboardInterrupt) as err:
        error = interrupts.behind(err)
        if error is None:
            raise
        # Where the imports were interrupted, there is nothing to tell of nodes.
        outcome = outcome or without_nodes(config, error, run_id=start.run_id, log=log)
    _keep_record(outcome, config.root_path)
    return outcome, error


def _keep_record(outcome: RunOutcome, root: pathlib.Path) -> None:
    try:
        outcomes.save_record(outcome, root)
    except OSError:  # on a full disk, what came of the run is told all the same
        logging.getLogger(__name__).exception('the record could not be kept')


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


def _first_failure(outcome: RunOutcome) -> NotBlessedError:
    for check in outcome.thresholds:
        if not check.passed:
            where = f' for {check.slice}' if check.slice else ''
            value = 'missing' if check.value is None else f'{check.value:.4f}'
            return NotBlessedError(
                f'not blessed: {check.metric}{where} is {value}, expected {check.bound}',
                hint=check.hint,
            )
    return NotBlessedError('not blessed: the Evaluator found no metric that meets its bound')


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
    next_step = 'the same command goes on with what has arrived'
    with interrupts.resuming(next_step), Progress(*columns, console=console) as progress:
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


def list_models(serving_dir: pathlib.Path, root: str | None, *, as_json: bool) -> None:
    """Show all pushed versions, and which one is live.

    Raises:
        DataError: If there are none.
    """
    from pipeline.console import print_models

    folder = pathlib.Path(os.path.abspath(root or DEFAULT_ROOT))
    pushes = {r['pushed']['path']: r for r in outcomes.load_records(folder) if r['pushed']}
    live = serving_store.live_version(serving_dir)
    models = [
        {
            'version': path.name,
            'live': path == live,
            'path': str(path),
            'run_id': pushes.get(str(path), {}).get('run_id'),
            'binary_accuracy': pushes.get(str(path), {}).get('metrics', {}).get('binary_accuracy'),
        }
        for path in serving_store.versions(serving_dir)
    ]
    if as_json:
        print_json(models)
    elif not models:
        raise DataError(f'no model was pushed to {serving_dir}', hint='run the pipeline first')
    else:
        print_models(models, sys.stdout)


def show_curves(root: str | None, name: str | None, port: int | None) -> None:
    """Run TensorBoard on the runs below a root, until it is interrupted.

    Raises:
        ReviewsError: If there are none, or TensorBoard cannot start.
    """
    from pipeline.tensorboard import find_curves, serve

    serve(find_curves(pathlib.Path(os.path.abspath(root or DEFAULT_ROOT)), name), port)


def print_json(value: Any, stream: TextIO | None = None) -> None:
    """Print what a command is asked for with --json, on standard output or elsewhere."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(text, file=stream, flush=stream is not None)
