"""Runs the pipeline on this machine, and shows and records the outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pathlib
import sys
import traceback
from collections.abc import Collection

from components.common.errors import NotBlessedError, ReviewsError
from components.evaluator.metric_table import format_metric
from pipeline.local.start import (
    StartedRun,
    hint_at_resuming,
    outcome_without_nodes,
    start_run,
)
from pipeline.process import signals
from pipeline.process.imports import no_collection
from pipeline.process.logs import Terminal, framework_noise_to
from pipeline.results import outcome as outcomes
from pipeline.results.outcome import RunOutcome
from pipeline.settings.cloud import require_nodes
from pipeline.settings.config import PipelineConfig
from pipeline.terminal.json_output import print_json


def run_locally(
    config: PipelineConfig,
    *,
    again: Collection[str] = (),
    as_json: bool,
    quiet: bool,
    verbose: bool,
    wait: bool,
) -> None:
    """Run the pipeline on this machine, and print the outcome.

    Args:
        config: The settings.
        again: Ids of nodes to execute even if their outputs are in the cache.
        as_json: Whether to print the outcome as JSON.
        quiet: Whether to print errors only.
        verbose: Whether to print the traceback of an error.
        wait: Whether to wait if another run of the same pipeline is in progress.

    Raises:
        NotBlessedError: If the candidate was not blessed.
        ReviewsError: If a node failed, the data is not usable, or another run is in
            progress.
        KeyboardInterrupt: If the run was interrupted, after the outcome was printed.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(hint_at_resuming())
        try:
            require_nodes(again)
            run = stack.enter_context(start_run(config, wait=wait, quiet=quiet))
        except (ReviewsError, KeyboardInterrupt) as err:
            if as_json:
                print_json(outcome_without_nodes(config.model_dump(), err).to_json())
            raise
        _run_and_show(config, run, again, as_json=as_json, quiet=quiet, verbose=verbose)


def _run_and_show(
    config: PipelineConfig,
    run: StartedRun,
    again: Collection[str],
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    with framework_noise_to(run.log) as terminal:
        outcome, error = _run(config, run, again, terminal, as_json=as_json, quiet=quiet)
        # An interrupted command ends at once; `report` can write the report later.
        if outcome.outcome != 'interrupted':
            try:
                outcome = _with_report(outcome, config.root_path)
            except KeyboardInterrupt as err:
                error = err
        run.lock.clear_holder()
        interrupted = isinstance(error, KeyboardInterrupt)
        if error is not None and verbose and not interrupted:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json(outcome.to_json())
    elif error is None and not quiet:
        from pipeline.terminal.summary import print_summary

        print_summary(outcome, sys.stdout)
    if outcome.report is None and not quiet and not interrupted:
        print(f'warning: the report was not written; see the log: {outcome.log}', file=sys.stderr)
    if isinstance(error, ReviewsError):
        error.log, error.report = outcome.log, outcome.report or ''
    if error is not None:
        raise error
    if outcome.outcome == 'not_blessed':
        raise _first_failure(outcome)


def _run(
    config: PipelineConfig,
    run: StartedRun,
    again: Collection[str],
    terminal: Terminal,
    *,
    as_json: bool,
    quiet: bool,
) -> tuple[RunOutcome, BaseException | None]:
    from pipeline.terminal.console import ProgressLines

    def record_unfinished(outcome: RunOutcome) -> None:
        _save_record(outcome, config.root_path)
        if as_json:
            print_json(outcome.to_json(), terminal.out)

    log = os.path.relpath(run.log)
    outcome: RunOutcome | None = None
    try:
        with ProgressLines(terminal.err, quiet=quiet) as progress:
            progress.starting(f'{config.name}, preset {config.preset}, on {config.data.path}')
            # TensorFlow has not been used if nothing has imported it.
            may_fork = 'tensorflow' not in sys.modules
            with no_collection():
                from pipeline.local.runner import run_pipeline

            outcome, error = run_pipeline(
                config,
                run.source,
                progress,
                run_id=run.run_id,
                log=log,
                if_ended=record_unfinished,
                again=again,
                may_fork=may_fork,
            )
    except (Exception, KeyboardInterrupt) as err:
        error = signals.interrupt_cause(err)
        if error is None:
            raise
        # If the imports were interrupted, no node has run.
        outcome = outcome or outcome_without_nodes(
            config.model_dump(), error, run_id=run.run_id, log=log
        )
    _save_record(outcome, config.root_path)
    return outcome, error


def _save_record(outcome: RunOutcome, root: pathlib.Path) -> None:
    try:
        outcomes.save_record(outcome, root)
    except OSError:  # on a full disk, the outcome is still printed
        logging.getLogger(__name__).exception('the record could not be saved')


def _with_report(outcome: RunOutcome, root: pathlib.Path) -> RunOutcome:
    """Write the report of a run, and add its path to the record."""
    from pipeline.report.pages import write_report

    try:
        reported = dataclasses.replace(outcome, report=write_report(outcome, root))
        outcomes.save_record(reported, root)
    except Exception:  # the run has ended, and does not depend on its report
        logging.getLogger(__name__).exception('the report was not written')
        return outcome
    return reported


def _first_failure(outcome: RunOutcome) -> NotBlessedError:
    for check in outcome.thresholds:
        if not check.passed:
            value = format_metric(check.metric, check.value, 'missing')
            return NotBlessedError(
                f'not blessed: {check.label} is {value}, expected {check.bound}', hint=check.hint
            )
    return NotBlessedError(
        'not blessed: the Evaluator measured no metric that has a bound',
        hint='see the log; the settings gate.* are the bounds',
    )
