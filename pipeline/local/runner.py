"""Runs the pipeline in this process, node by node."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from tfx.orchestration import metadata

from components.common.errors import StoreError
from components.common.fingerprint import stack_versions
from components.common.model_versions import same_model
from components.common.progress import report_progress
from components.common.rollback_state import has_been_rolled_back
from components.example_gen.sources import DataSource
from pipeline.beam.worker_code import code_on_worker_path
from pipeline.create import create_pipeline
from pipeline.local import leftovers
from pipeline.local.failures import explain
from pipeline.local.launcher import NodeLauncher
from pipeline.models import versions
from pipeline.process import signals
from pipeline.results import artifacts
from pipeline.results.artifacts import Artifacts
from pipeline.results.outcome import NodeResult, RunOutcome, State, verdict_of
from pipeline.results.run_findings import RunFindings
from pipeline.settings.config import PipelineConfig
from pipeline.store.adoption import adopt_served
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.baseline import check_blessed, require_latest, require_same_live
from pipeline.store.choice import backend_of

_log = logging.getLogger(__name__)

_TRAINER = 'Trainer'
_PUSHER = 'Pusher'
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
    again: Collection[str] = (),
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
        again: Ids of nodes that are executed whatever the cache holds.

    Returns:
        What came of it, and the error if the outcome is `failed` or `interrupted`.
    """
    run = _LocalRun(config, source, observer, run_id=run_id, log=log, again=again)
    error: BaseException | None = None
    with signals.last_words(lambda err: if_ended(run.outcome(err))):
        try:
            run.run()
        except (Exception, KeyboardInterrupt) as err:
            error = signals.behind(err)
            if error is not None:
                _log.info('the run was interrupted', exc_info=True)
                run.call_off()
            else:  # told to the person by its class; the log has the rest
                _log.exception('the run failed')
                error = run.explained(err)
        if not isinstance(error, KeyboardInterrupt):
            run.backend.keep_copy()
        return run.outcome(error), error


class _LocalRun:
    """One run, node by node: what may be reused, and what must hold before a node begins."""

    def __init__(
        self,
        config: PipelineConfig,
        source: DataSource,
        observer: RunObserver,
        *,
        run_id: str,
        log: str,
        again: Collection[str],
    ) -> None:
        self.results: list[NodeResult] = []
        self.found = RunFindings()
        self.current = ''
        self.backend = backend_of(config)
        self._config = config
        self._source = source
        self._observer = observer
        self._run_id = run_id
        self._log_path = log
        self._started = self._began = time.monotonic()
        self._again = again
        self._keeper = ArtifactKeeper(config.root_path)
        self._outputs: dict[str, Artifacts] = {}
        self._live_at_baseline: pathlib.Path | None = None
        self._inputs_of: dict[str, list[str]] = {}

    def run(self) -> None:
        # TFX's Beam nodes have absl parse the process's arguments, and it takes ours for its own.
        with _no_arguments(), code_on_worker_path():
            self._run()

    def outcome(self, error: BaseException | None) -> RunOutcome:
        """Return what came of it, or of as much as there is of it."""
        config, found = self._config, self.found
        nodes = self.results
        ended = verdict_of(error, pushed=found.pushed, withdrawn=found.withdrawn)
        if ended in ('failed', 'interrupted'):
            nodes = self._cut_short(ended)
        return RunOutcome(
            run_id=self._run_id,
            outcome=ended,
            name=config.name,
            data=config.data.path,
            spans=found.spans,
            rejects=found.rejects,
            nothing_new=not error and all(node.state == 'cached' for node in nodes),
            metrics=found.metrics,
            slices=found.slices,
            thresholds=found.thresholds,
            baseline=found.baseline,
            nodes=tuple(nodes),
            pushed=found.pushed,
            withdrawn=found.withdrawn,
            seconds=time.monotonic() - self._started,
            log=self._log_path,
            error=str(error) if error else None,
            config=config.model_dump(),
            versions={'python': platform.python_version(), **stack_versions()},
        )

    def _cut_short(self, state: State) -> list[NodeResult]:
        """Return all nodes: the one at work came to `state`, those after it to nothing."""
        nodes = list(self.results)
        for node_id in list(self._inputs_of)[len(nodes):]:
            if node_id == self.current:
                seconds = round(time.monotonic() - self._began, 3)
                nodes.append(NodeResult(id=node_id, state=state, seconds=seconds))
            else:
                nodes.append(NodeResult(id=node_id, state='skipped'))
        return nodes

    def call_off(self) -> None:
        """Leave nothing that would look as if the run went on."""
        try:
            leftovers.clear(self.backend, self._config.pipeline_root, self._config.name)
        except Exception:  # the next run does it
            _log.exception('what the run leaves could not be cleared')

    def _run(self) -> None:
        config = self._config
        config.pipeline_root.mkdir(parents=True, exist_ok=True)
        told = self.backend.open_for_run()
        if told:
            report_progress(told)
        leftovers.clear(self.backend, config.pipeline_root, config.name)
        connection = self.backend.connection()
        nodes = NodeLauncher(
            create_pipeline(config, self._source),
            run_id=self._run_id,
            connection=connection,
            own=self.backend.own_context(config.name),
        )
        self._inputs_of = nodes.inputs_of
        total = len(nodes.inputs_of)
        for index, node_id in enumerate(nodes.inputs_of, start=1):
            # A library may have caught what a signal raised in the node before.
            signals.check()
            self._began = time.monotonic()
            self.current = node_id
            self._observer.node_started(index, total, node_id)
            try:
                result = self._launch(nodes, node_id, connection)
            except BaseException as err:
                state: State = 'failed' if signals.behind(err) is None else 'interrupted'
                ended = self._cut_short(state)[index - 1]
                self._observer.node_finished(index, total, ended)
                raise
            seconds = round(time.monotonic() - self._began, 3)
            self.results.append(dataclasses.replace(result, seconds=seconds))
            self._observer.node_finished(index, total, self.results[-1])

    def _launch(self, nodes: NodeLauncher, node_id: str, connection: Any) -> NodeResult:
        live = versions.live_version(self._config.serving_path)
        told = self._check_baseline(connection, live) if node_id == _RESOLVER else ''
        if node_id == _PUSHER:
            self._check_nobody_was_faster(connection, live)
        cache = node_id not in self._again and (node_id != _PUSHER or self._push_is_live(live))
        with self._keeper.watching_cache() as refused:
            outputs, cached = nodes.launch(node_id, cache=cache)
        self._outputs[node_id] = outputs
        self._keeper.keep(outputs)
        note = self.found.add(node_id, outputs)
        if node_id == _RESOLVER or (node_id == _PUSHER and self._nothing_was_pushed(live)):
            # It only looks up, and anew each time. It is news only if the candidate is new.
            cached = self.results[-1].state == 'cached'
        if refused:
            damaged = refused[0].removeprefix(f'{self._config.pipeline_root}/')
            told = f'{"an earlier output is taken" if cached else "made again"}: {damaged}'
        note = '; '.join(part for part in (told, note) if part)
        return NodeResult(id=node_id, state='cached' if cached else 'executed', note=note)

    def _check_baseline(self, connection: Any, live: pathlib.Path | None) -> str:
        config = self._config
        candidates = self._outputs[_TRAINER]['model']
        self._live_at_baseline = live
        with metadata.Metadata(connection) as handle:
            told = check_blessed(
                handle.store, config, self._keeper, candidates, shared=self.backend.shared
            )
            own = self.backend.own_context(config.name)
            adopt_served(handle, config, self._keeper, candidates, own)
        return told

    def _check_nobody_was_faster(self, connection: Any, live: pathlib.Path | None) -> None:
        if not self._is_blessed():
            return
        candidates = self._outputs[_TRAINER]['model']
        if self.backend.shared:
            with metadata.Metadata(connection) as handle:
                require_latest(
                    handle.store,
                    self._config.name,
                    candidates,
                    self._config.serving_path,
                    compared_with=self._outputs[_RESOLVER].get('model', ()),
                )
        require_same_live(
            live, self._live_at_baseline, artifacts.model_path(self._outputs[_TRAINER])
        )

    def explained(self, error: BaseException) -> BaseException:
        """Turn what went wrong into an error that a person can act on."""
        told = self.backend.failure(error) or self.damaged_input()
        return told or explain(error, self.current)

    def damaged_input(self) -> StoreError | None:
        """Say what is wrong with what the current node was to read, None if nothing is."""
        return self._keeper.damaged_input(
            self.current,
            {node: self._outputs.get(node, {}) for node in self._inputs_of.get(self.current, ())},
        )

    def _is_blessed(self) -> bool:
        return self.found.blessed

    def _nothing_was_pushed(self, live: pathlib.Path | None) -> bool:
        """Tell whether the model is withdrawn, or was `live` before the Pusher ran."""
        if self.found.withdrawn is not None:
            return True
        pushed = self.found.pushed
        return pushed is not None and live is not None and pushed.path == str(live)

    def _push_is_live(self, live: pathlib.Path | None) -> bool:
        """Whether a cached push can be believed: what is served is this very model.

        A push is worth nothing if another model was pushed after it, or if the
        version was deleted; ML Metadata does not see either. After a rollback, it
        may say of the same inputs that they were pushed, or that they were not.
        """
        if not self._is_blessed():
            return True
        if has_been_rolled_back(str(self._config.serving_path)):
            return False
        model = artifacts.model_path(self._outputs[_TRAINER])
        return live is not None and same_model(str(live), str(model))


@contextlib.contextmanager
def _no_arguments() -> Iterator[None]:
    saved = sys.argv
    sys.argv = saved[:1]
    try:
        yield
    finally:
        sys.argv = saved
