"""Runs the pipeline in this process, node by node."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.portable import runtime_parameter_utils, tfx_runner
from tfx.proto.orchestration import pipeline_pb2

from components.beam_jobs.running_job import job_left
from components.common.fingerprint import stack_versions
from components.common.progress import report_progress
from components.example_gen.sources import DataSource
from pipeline.beam.arguments import is_direct
from pipeline.beam.worker_code import code_on_worker_path
from pipeline.create import create_pipeline
from pipeline.local import leftovers
from pipeline.local.failures import explain, explain_server_failure
from pipeline.local.launcher import NodeLauncher
from pipeline.process import signals
from pipeline.results.label_issues import LabelIssues, join_label_issues
from pipeline.results.outcome import NodeResult, RunOutcome, State, verdict_of
from pipeline.results.run_findings import Artifacts, RunFindings, is_new_version
from pipeline.settings.config import PipelineConfig
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.choice import backend_of

_log = logging.getLogger(__name__)

# For nodes that TFX never caches: a function that tells from the outputs whether the node changed
# anything. If it did not, the node can count as cached.
_CHANGED_SOMETHING: Mapping[str, Callable[[Artifacts], bool]] = {'Pusher': is_new_version}


class RunObserver(Protocol):
    """Follows the progress of a run."""

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Handle the start of a node; `index` counts from 1."""

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Handle the end of a node, whether it succeeded or not."""


def run_pipeline(
    config: PipelineConfig,
    source: DataSource,
    observer: RunObserver,
    *,
    run_id: str,
    log: str,
    if_ended: Callable[[RunOutcome], None],
    again: Collection[str] = (),
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

    Returns:
        The outcome, and the error if the outcome is `failed` or `interrupted`.
    """
    backend = backend_of(config)
    runner = LocalRunner(
        observer,
        run_id=run_id,
        own_context=backend.own_context(config.name),
        keeper=ArtifactKeeper(config.root_path),
        again=again,
    )
    started = time.monotonic()

    def outcome_of(error: BaseException | None) -> RunOutcome:
        findings = runner.findings
        label_issues = None
        if not isinstance(error, KeyboardInterrupt):
            label_issues = _write_label_issues(findings, config.root_path, run_id)
        verdict = verdict_of(error, pushed=findings.pushed, withdrawn=findings.withdrawn)
        nodes = runner.results
        if verdict in {'failed', 'interrupted'}:
            nodes = runner.all_results('failed' if verdict == 'failed' else 'interrupted')
        return RunOutcome(
            run_id=run_id,
            outcome=verdict,
            name=config.name,
            data=config.data.path,
            log=log,
            seconds=time.monotonic() - started,
            nothing_new=not error and all(node.state == 'cached' for node in nodes),
            nodes=tuple(nodes),
            error=str(error) if error else None,
            config=config.model_dump(),
            **findings.outcome_fields(),
            label_issues=label_issues,
            versions={'python': platform.python_version(), **stack_versions()},
        )

    error: BaseException | None = None
    with signals.on_forced_exit(lambda err: if_ended(outcome_of(err))):
        try:
            config.pipeline_root.mkdir(parents=True, exist_ok=True)
            message = backend.open_for_run()
            if message:
                report_progress(message)
            if leftovers.clear(backend, config.pipeline_root, config.name):
                _report_left_job(config)
            # In TFX's Beam nodes, absl parses the arguments of the process: hide them.
            with _hide_arguments(), code_on_worker_path():
                runner.run(create_pipeline(config, source))
        except (Exception, KeyboardInterrupt) as err:
            error = signals.interrupt_cause(err)
            if error is not None:
                _log.info('the run was interrupted', exc_info=True)
                # The next run clears the leftovers, too. A job that still runs may need its files.
                with contextlib.suppress(Exception):
                    if job_left() is None:
                        leftovers.clear(backend, config.pipeline_root, config.name)
            else:  # the command prints one line; the log has the traceback
                _log.exception('the run failed')
                error = (
                    explain_server_failure(err, backend)
                    or runner.damaged_input()
                    or explain(err, runner.current)
                )
        if not isinstance(error, KeyboardInterrupt):
            backend.back_up()
        return outcome_of(error), error


class LocalRunner(tfx_runner.IrBasedRunner):  # type: ignore[misc]
    """Runs the nodes of a pipeline in their order, as TFX's LocalDagRunner does.

    It also reports progress, notices interruptions between nodes, and checks the files
    that nodes wrote, so that damaged outputs are not taken from the cache.

    Args:
        observer: Follows the progress.
        run_id: Name of the run.
        own_context: Type and name of the context for all executions of this root.
        keeper: Records and checks what nodes write.
        again: Ids of nodes to execute even if their outputs are in the cache.

    Attributes:
        results: The nodes that ended, in their order.
        findings: What was read from their artifacts.
        current: Id of the node that runs, or failed; empty before the first.

    Example:
        LocalRunner(observer, run_id='1', own_context=..., keeper=...).run(pipeline)
    """

    def __init__(
        self,
        observer: RunObserver,
        *,
        run_id: str,
        own_context: tuple[str, str],
        keeper: ArtifactKeeper,
        again: Collection[str] = (),
    ) -> None:
        self.results: list[NodeResult] = []
        self.findings = RunFindings()
        self.current = ''
        self._observer = observer
        self._run_id = run_id
        self._own_context = own_context
        self._keeper = keeper
        self._again = again
        self._nodes: dict[str, pipeline_pb2.PipelineNode] = {}
        self._outputs: dict[str, Artifacts] = {}
        self._pipeline_root = ''
        self._node_started = time.monotonic()

    def run_with_ir(
        self, pipeline: pipeline_pb2.Pipeline, run_options: Any = None, **kwargs: Any
    ) -> None:
        """Run a compiled pipeline.

        Raises:
            ComponentError: If a node could not start. Exceptions of a node are passed on.
            KeyboardInterrupt: If a signal interrupted the run.
        """
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        self._pipeline_root = pipeline.runtime_spec.pipeline_root.field_value.string_value
        self._nodes = {
            node.pipeline_node.node_info.id: node.pipeline_node for node in pipeline.nodes
        }
        kind, name = self._own_context
        for node in self._nodes.values():
            if kind not in {context.type.name for context in node.contexts.contexts}:
                context = node.contexts.contexts.add()
                context.type.name, context.name.field_value.string_value = kind, name
        launcher = NodeLauncher(pipeline, self._keeper.find_damage)
        total = len(self._nodes)
        for index, (node_id, node) in enumerate(self._nodes.items(), start=1):
            # In the node before, a library may have caught the exception that a signal raised.
            signals.raise_if_interrupted()
            self.current, self._node_started = node_id, time.monotonic()
            self._observer.node_started(index, total, node_id)
            try:
                result = self._launch(launcher, node_id, node)
            except BaseException as err:
                state: State = 'failed' if signals.interrupt_cause(err) is None else 'interrupted'
                self._observer.node_finished(index, total, self.all_results(state)[index - 1])
                raise
            self.results.append(dataclasses.replace(result, seconds=self._seconds()))
            self._observer.node_finished(index, total, self.results[-1])

    def all_results(self, state: State) -> list[NodeResult]:
        """Return a result for each node; the node at which the run ended has the state `state`."""
        results = list(self.results)
        for node_id in list(self._nodes)[len(results) :]:
            if node_id == self.current:
                results.append(NodeResult(id=node_id, state=state, seconds=self._seconds()))
            else:
                results.append(NodeResult(id=node_id, state='skipped'))
        return results

    def damaged_input(self) -> Exception | None:
        """Return the error for a damaged input of the current node, None if there is none."""
        node = self._nodes.get(self.current)
        upstream = node.upstream_nodes if node is not None else ()
        return self._keeper.damaged_input(
            self.current, {name: self._outputs.get(name, {}) for name in upstream}
        )

    def _launch(
        self, launcher: NodeLauncher, node_id: str, node: pipeline_pb2.PipelineNode
    ) -> NodeResult:
        launched = launcher.launch(node, cache=node_id not in self._again)
        cached = launched.cached
        changed_something = _CHANGED_SOMETHING.get(node_id)
        if changed_something is not None and not changed_something(launched.outputs):
            # It changed nothing: it counts as cached if the node before it is.
            cached = self.results[-1].state == 'cached'
        self._outputs[node_id] = launched.outputs
        self._keeper.keep(launched.outputs)
        notes = [self.findings.add(node_id, launched.outputs)]
        if launched.damage:
            where = launched.damage.removeprefix(f'{self._pipeline_root}/')
            notes.insert(0, f'executed again: {where}')
        note = '; '.join(filter(None, notes))
        return NodeResult(id=node_id, state='cached' if cached else 'executed', note=note)

    def _seconds(self) -> float:
        return round(time.monotonic() - self._node_started, 3)


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
