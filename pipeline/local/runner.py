"""Runs the pipeline in this process, node by node."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator

from components.beam_jobs.running_job import job_left
from components.common.fingerprint import stack_versions
from components.common.progress import report_progress
from components.example_gen.sources import DataSource
from pipeline.beam.arguments import is_direct
from pipeline.beam.worker_code import code_on_worker_path
from pipeline.create import create_pipeline
from pipeline.local import leftovers
from pipeline.local.dag_runner import LocalRunner, RunObserver
from pipeline.local.failures import explain, explain_server_failure
from pipeline.local.workers import CAN_FORK, NodeWorkers
from pipeline.process import signals
from pipeline.results.label_issues import LabelIssues, join_label_issues
from pipeline.results.outcome import RunOutcome, verdict_of
from pipeline.results.run_findings import RunFindings
from pipeline.settings.config import PipelineConfig
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.choice import Backend, backend_of

_log = logging.getLogger(__name__)


def run_pipeline(
    config: PipelineConfig,
    source: DataSource,
    observer: RunObserver,
    *,
    run_id: str,
    log: str,
    if_ended: Callable[[RunOutcome], None],
    again: Collection[str] = (),
    may_fork: bool = False,
) -> tuple[RunOutcome, BaseException | None]:
    """Run all nodes, with outputs from the cache where possible, until one fails.

    No other run of the same pipeline may be in progress: hold its lock.

    Args:
        config: The settings.
        source: The data.
        observer: Follows the progress.
        run_id: Id of the run, not used before.
        log: Path of the log file, for the outcome.
        if_ended: Called with the outcome, in another thread, before the process is
            ended because a signal cannot interrupt the current node.
        again: Ids of nodes to execute even if their outputs are in the cache.
        may_fork: Whether nodes may run side by side, in processes that are forked from this one.
            TensorFlow must be imported in it, but not used yet.

    Returns:
        The outcome, and the error if the outcome is `failed` or `interrupted`.
    """
    count = _count_workers(config) if may_fork else 1
    # In TFX's Beam nodes, absl parses the arguments of the process: hide them.
    with (
        _hide_arguments(),
        code_on_worker_path(),
        NodeWorkers(count) if count > 1 else contextlib.nullcontext() as workers,
    ):
        backend = backend_of(config)
        runner = LocalRunner(
            observer,
            run_id=run_id,
            own_context=backend.own_context(config.name),
            keeper=ArtifactKeeper(config.root_path),
            again=again,
            workers=workers,
        )
        started = time.monotonic()

        def outcome_of(error: BaseException | None) -> RunOutcome:
            seconds = time.monotonic() - started
            return _make_outcome(config, runner, error, run_id=run_id, log=log, seconds=seconds)

        with signals.on_forced_exit(lambda err: if_ended(outcome_of(err))):
            error = _run(config, source, runner, backend)
            return outcome_of(error), error


def _count_workers(config: PipelineConfig) -> int:
    # Two jobs on a service would wait for each other's task slots.
    return config.concurrent_nodes if CAN_FORK and is_direct(config.beam) else 1


def _run(
    config: PipelineConfig, source: DataSource, runner: LocalRunner, backend: Backend
) -> BaseException | None:
    """Run all nodes; return the error to show, or the interrupt, that ended the run."""
    error: BaseException | None = None
    try:
        config.pipeline_root.mkdir(parents=True, exist_ok=True)
        message = backend.open_for_run()
        if message:
            report_progress(message)
        if leftovers.clear(backend, config.pipeline_root, config.name):
            _report_left_job(config)
        runner.run(create_pipeline(config, source))
    except (Exception, KeyboardInterrupt) as err:
        error = signals.interrupt_cause(err)
        if error is not None:
            _log.info('the run was interrupted', exc_info=True)
        else:  # the command prints one line; the log has the traceback
            _log.exception('the run failed')
            error = (
                explain_server_failure(err, backend)
                or runner.damaged_input()
                or explain(err, runner.current)
            )
        # The next run clears the leftovers, too. A job that still runs may need its files.
        try:
            if job_left() is None:
                leftovers.clear(
                    backend, config.pipeline_root, config.name, discarded=runner.discarded
                )
        except Exception:  # the error of the run matters more
            _log.exception('not all files of the nodes that were stopped could be removed')
    if not isinstance(error, KeyboardInterrupt):
        backend.back_up()
    return error


def _make_outcome(
    config: PipelineConfig,
    runner: LocalRunner,
    error: BaseException | None,
    *,
    run_id: str,
    log: str,
    seconds: float,
) -> RunOutcome:
    findings = runner.findings
    label_issues = None
    if not isinstance(error, KeyboardInterrupt):
        label_issues = _write_label_issues(findings, config.root_path, run_id)
    verdict = verdict_of(error, pushed=findings.pushed, withdrawn=findings.withdrawn)
    nodes = runner.all_results('failed' if verdict == 'failed' else 'interrupted')
    return RunOutcome(
        run_id=run_id,
        outcome=verdict,
        name=config.name,
        data=config.data.path,
        log=log,
        seconds=seconds,
        nothing_new=not error and all(node.state == 'cached' for node in nodes),
        nodes=tuple(nodes),
        error=str(error) if error else None,
        config=config.model_dump(),
        **findings.outcome_fields(),
        label_issues=label_issues,
        versions={'python': platform.python_version(), **stack_versions()},
    )


def _write_label_issues(
    findings: RunFindings, root: pathlib.Path, run_id: str
) -> LabelIssues | None:
    try:
        path = root / 'reports' / f'{run_id}.label_issues.csv'
        return join_label_issues(findings.scored, path)
    except (OSError, ValueError):  # the run has ended, and does not depend on the table
        _log.exception('the table of suspected label errors was not written')
        return None


def _report_left_job(config: PipelineConfig) -> None:
    if not is_direct(config.beam):
        report_progress(
            'removed the files of the node that the run before did not finish; if its Beam job '
            f'is still running, it fails: its name begins with {config.name}'
        )


@contextlib.contextmanager
def _hide_arguments() -> Iterator[None]:
    saved = sys.argv
    sys.argv = saved[:1]
    try:
        yield
    finally:
        sys.argv = saved
