"""Runs the pipeline on this machine, and shows and keeps the result."""

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
from pipeline.local.start import Start, begun, require_nodes, resuming, without_nodes
from pipeline.process import signals
from pipeline.process.imports import no_collection
from pipeline.process.logs import Terminal, framework_noise_to
from pipeline.results import outcome as outcomes
from pipeline.results.outcome import RunOutcome
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
    """Run the pipeline on this machine and show what comes of it.

    Args:
        config: The settings.
        again: Ids of nodes that are executed whatever the cache holds.
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
            require_nodes(again)
            start = stack.enter_context(begun(config, wait=wait, quiet=quiet))
        except (ReviewsError, KeyboardInterrupt) as err:
            if as_json:
                print_json(without_nodes(config, err).to_json())
            raise
        _run_begun(config, start, again, as_json=as_json, quiet=quiet, verbose=verbose)


def _run_begun(
    config: PipelineConfig,
    start: Start,
    again: Collection[str],
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    with framework_noise_to(start.log) as terminal:
        outcome, error = _run(config, start, again, terminal, as_json=as_json, quiet=quiet)
        # Who stops a run is not kept waiting for its page; `report` makes it.
        if outcome.outcome != 'interrupted':
            try:
                outcome = _with_report(outcome, config.root_path)
            except KeyboardInterrupt as err:
                error = err
        start.lock.clear_holder()
        interrupted = isinstance(error, KeyboardInterrupt)
        if error is not None and verbose and not interrupted:
            traceback.print_exception(error, file=terminal.err)
    if as_json:
        print_json(outcome.to_json())
    elif error is None and not quiet:
        from pipeline.terminal.console import print_summary

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
    config: PipelineConfig,
    start: Start,
    again: Collection[str],
    terminal: Terminal,
    *,
    as_json: bool,
    quiet: bool,
) -> tuple[RunOutcome, BaseException | None]:
    from pipeline.terminal.console import ProgressLines

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
                from pipeline.local.runner import run_pipeline

            outcome, error = run_pipeline(
                config,
                start.source,
                progress,
                run_id=start.run_id,
                log=log,
                if_ended=keep_unfinished,
                again=again,
            )
    except (Exception, KeyboardInterrupt) as err:
        error = signals.interrupt_cause(err)
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
    from pipeline.report.pages import write_report

    try:
        reported = dataclasses.replace(outcome, report=write_report(outcome, root))
        outcomes.save_record(reported, root)
    except Exception:  # whatever it is, the run is what it was
        logging.getLogger(__name__).exception('the report could not be made')
        return outcome
    return reported


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
