"""Runs the pipeline in this process, node by node."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import artifact_utils

from components.errors import ComponentError, ReviewsError
from components.example_gen.sources import DataSource
from components.fingerprint import stack_versions
from pipeline import findings, interrupts, leftovers, serving_store
from pipeline.config import PipelineConfig
from pipeline.create import create_pipeline
from pipeline.findings import Artifacts, Evaluation
from pipeline.outcome import NodeResult, Pushed, RunOutcome, State

_log = logging.getLogger(__name__)

_EXAMPLE_GEN = 'ExampleGen'
_TRAINER = 'Trainer'
_EVALUATOR = 'Evaluator'
_PUSHER = 'Pusher'
# TensorFlow, Beam and SQLite raise errors of their own, with these words in them.
_DISK_FULL = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    'database or disk is full',
)
_RESOLVER = 'BaselineResolver'


class RunObserver(Protocol):
    """Who is told how a run goes."""

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Hear that a node begins; `index` counts from 1."""

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Hear that a node has ended, one way or the other."""


def run_pipeline(
    config: PipelineConfig,
    source: DataSource,
    observer: RunObserver,
    *,
    run_id: str,
    log: str,
    if_ended: Callable[[RunOutcome], None],
) -> tuple[RunOutcome, BaseException | None]:
    """Run all nodes, reusing what is cached, until one fails or all are done.

    No other run of the same pipeline may be under way: hold its lock.

    Args:
        config: The settings.
        source: The data.
        observer: Is told of each node.
        run_id: Name of the run, not used before.
        log: Path of the log file, for the outcome.
        if_ended: Is given the outcome, in another thread, if the process is
            about to be ended in the midst of a node that cannot be interrupted.

    Returns:
        What came of it, and the error if the outcome is `failed` or `interrupted`.
    """
    run = _LocalRun(config, source, observer, run_id, log)
    error: BaseException | None = None
    with interrupts.last_words(lambda err: if_ended(run.outcome(err))):
        try:
            run.run()
        except (Exception, KeyboardInterrupt) as err:
            error = interrupts.behind(err)
            if error is not None:
                _log.info('the run was interrupted', exc_info=True)
                run.call_off()
            else:  # told to the person by its class; the log has the rest
                _log.exception('the run failed')
                error = _explain(err, run.current)
        return run.outcome(error), error


class _LocalRun:
    """One run: TFX's LocalDagRunner, with eyes."""

    def __init__(
        self,
        config: PipelineConfig,
        source: DataSource,
        observer: RunObserver,
        run_id: str,
        log: str,
    ) -> None:
        self.results: list[NodeResult] = []
        self.evaluation: Evaluation | None = None
        self.pushed: Pushed | None = None
        self.spans: str | None = None
        self.rejects: str | None = None
        self.current = ''
        self._config = config
        self._source = source
        self._observer = observer
        self._run_id = run_id
        self._log_path = log
        self._started = self._began = time.monotonic()
        self._node_ids: list[str] = []
        self._outputs: dict[str, Artifacts] = {}

    def run(self) -> None:
        # TFX's Beam nodes have absl parse the process's arguments, and it takes ours for its own.
        with _no_arguments():
            self._run()

    def outcome(self, error: BaseException | None) -> RunOutcome:
        """Return what came of it, or of as much as there is of it."""
        config, evaluation = self._config, self.evaluation
        nodes = self.results
        ended: Literal['pushed', 'not_blessed', 'failed', 'interrupted']
        if error is None:
            ended = 'pushed' if self.pushed else 'not_blessed'
        else:
            ended = 'interrupted' if isinstance(error, KeyboardInterrupt) else 'failed'
            nodes = self._cut_short(ended)
        return RunOutcome(
            run_id=self._run_id,
            outcome=ended,
            name=config.name,
            data=config.data.path,
            spans=self.spans,
            rejects=self.rejects,
            nothing_new=not error and all(node.state == 'cached' for node in nodes),
            metrics=evaluation.metrics if evaluation else {},
            slices=evaluation.slices if evaluation else {},
            thresholds=evaluation.checks() if evaluation else (),
            baseline=evaluation.baseline if evaluation else None,
            nodes=tuple(nodes),
            pushed=self.pushed,
            seconds=time.monotonic() - self._started,
            log=self._log_path,
            error=str(error) if error else None,
            config=config.model_dump(),
            versions={'python': platform.python_version(), **stack_versions()},
        )

    def _cut_short(self, state: State) -> list[NodeResult]:
        """Return all nodes: the one at work came to `state`, those after it to nothing."""
        nodes = list(self.results)
        for node_id in self._node_ids[len(nodes):]:
            if node_id == self.current:
                seconds = round(time.monotonic() - self._began, 3)
                nodes.append(NodeResult(id=node_id, state=state, seconds=seconds))
            else:
                nodes.append(NodeResult(id=node_id, state='skipped'))
        return nodes

    def call_off(self) -> None:
        """Leave nothing that would look as if the run went on."""
        try:
            leftovers.clear(
                self._config.metadata_path, self._config.pipeline_root, self._config.name
            )
        except Exception:  # the next run does it
            _log.exception('what the run leaves could not be cleared')

    def _run(self) -> None:
        config = self._config
        config.pipeline_root.mkdir(parents=True, exist_ok=True)
        leftovers.clear(config.metadata_path, config.pipeline_root, config.name)
        connection = metadata.sqlite_metadata_connection_config(str(config.metadata_path))
        pipeline = compiler.Compiler().compile(
            create_pipeline(config, self._source, metadata_connection_config=connection)
        )
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        nodes = [node.pipeline_node for node in pipeline.nodes]
        self._node_ids = [node.node_info.id for node in nodes]
        for index, node in enumerate(nodes, start=1):
            # A library may have caught what a signal raised in the node before.
            interrupts.check()
            self._began = time.monotonic()
            self.current = node.node_info.id
            self._observer.node_started(index, len(nodes), self.current)
            try:
                result = self._launch(pipeline, node, connection)
            except BaseException as err:
                state: State = 'failed' if interrupts.behind(err) is None else 'interrupted'
                ended = self._cut_short(state)[index - 1]
                self._observer.node_finished(index, len(nodes), ended)
                raise
            seconds = round(time.monotonic() - self._began, 3)
            self.results.append(dataclasses.replace(result, seconds=seconds))
            self._observer.node_finished(index, len(nodes), self.results[-1])

    def _launch(
        self,
        pipeline: pipeline_pb2.Pipeline,
        node: pipeline_pb2.PipelineNode,
        connection: metadata_store_pb2.ConnectionConfig,
    ) -> NodeResult:
        node_id = node.node_info.id
        if node_id == _PUSHER and not self._push_is_live():
            node.execution_options.caching_options.enable_cache = False
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        ).launch()
        if info is None or info.execution_id is None:
            raise ComponentError(
                f'{node_id} did not run: what it needs from earlier nodes is missing',
                hint='see the log',
            )
        with metadata.Metadata(connection) as handle:
            state, outputs = _published(handle.store, info.execution_id)
        if state == metadata_store_pb2.Execution.FAILED:
            raise ComponentError(f'{node_id} could not start', hint='see the log')
        self._outputs[node_id] = outputs
        cached = state == metadata_store_pb2.Execution.CACHED
        if node_id == _RESOLVER:
            # TFX looks up anew each time. It is news only if the candidate is new.
            cached = self.results[-1].state == 'cached'
        return NodeResult(
            id=node_id, state='cached' if cached else 'executed', note=self._note(node_id, outputs)
        )

    def _note(self, node_id: str, outputs: Artifacts) -> str:
        if node_id == _EVALUATOR:
            self.evaluation = Evaluation(outputs)
            accuracy = self.evaluation.metrics.get('binary_accuracy')
            told = 'missing' if accuracy is None else f'{accuracy:.4f}'
            return f'accuracy {told}: {"blessed" if self.evaluation.blessed else "NOT blessed"}'
        if node_id == _EXAMPLE_GEN:
            self.spans = findings.spans_read(outputs)
            self.rejects = findings.rejects_files(outputs)
        if node_id == _PUSHER:
            self.pushed = findings.pushed_version(outputs)
        return findings.describe(node_id, outputs)

    def _push_is_live(self) -> bool:
        """Whether a cached push can be believed: what is served is this very model.

        A push is worth nothing if another model was pushed after it, or if the
        version was deleted; ML Metadata does not see either.
        """
        if self.evaluation is None or not self.evaluation.blessed:
            return True
        live = serving_store.live_version(self._config.serving_path)
        model = findings.model_path(self._outputs[_TRAINER])
        return live is not None and serving_store.same_model(live, model)


@contextlib.contextmanager
def _no_arguments() -> Iterator[None]:
    saved = sys.argv
    sys.argv = saved[:1]
    try:
        yield
    finally:
        sys.argv = saved


def _published(store: Any, execution_id: int) -> tuple[int, Artifacts]:
    """Return an execution's state and its output artifacts by key, from the store."""
    (execution,) = store.get_executions_by_id([execution_id])
    outputs: dict[str, list[Any]] = {}
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (event.OUTPUT, event.INTERNAL_OUTPUT)
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
    type_ids = [artifact.type_id for artifact in artifacts.values()]
    types = {t.id: t for t in store.get_artifact_types_by_id(type_ids)}
    for event in events:
        artifact = artifacts[event.artifact_id]
        outputs.setdefault(event.path.steps[0].key, []).append(
            artifact_utils.deserialize_artifact(types[artifact.type_id], artifact)
        )
    return execution.last_known_state, outputs


def _explain(err: BaseException, node_id: str) -> BaseException:
    """Turn what a node raised into an error that a person can act on."""
    if isinstance(err, ReviewsError):
        return err
    cause: BaseException | None = err
    while cause is not None:
        if isinstance(cause, ReviewsError):
            return cause
        if any(words in str(cause) for words in _DISK_FULL):
            return ComponentError(
                f'{node_id}: no space left on the disk', hint='make room; the same command resumes'
            )
        cause = cause.__cause__ or cause.__context__
    first_line = (str(err).strip().splitlines() or [''])[0]
    return ComponentError(
        f'{node_id or "the pipeline"} failed: {type(err).__name__}: {first_line}',
        hint='the log has the details; the same command resumes from what is cached',
    )
