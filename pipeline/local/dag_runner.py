"""Runs the nodes of a compiled pipeline, each as soon as its inputs are there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent import futures
from typing import Any, Protocol

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.portable import runtime_parameter_utils, tfx_runner
from tfx.proto.orchestration import pipeline_pb2

from pipeline.local.launcher import Launched, NodeLauncher
from pipeline.local.schedule import Schedule
from pipeline.local.workers import NodeWorkers, StoppedError
from pipeline.process import signals
from pipeline.results.outcome import NodeResult, State
from pipeline.results.run_findings import Artifacts, RunFindings, is_new_version
from pipeline.store.artifacts import ArtifactKeeper

# For nodes that TFX never caches: a function that tells from the outputs whether the node changed
# anything. If it did not, the node can count as cached.
_CHANGED_SOMETHING: Mapping[str, Callable[[Artifacts], bool]] = {'Pusher': is_new_version}


class RunObserver(Protocol):
    """Follows the progress of a run."""

    def node_started(self, index: int, total: int, node_id: str) -> None:
        """Handle the start of a node; `index` counts from 1, in the order of the pipeline."""

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        """Handle the end of a node, whether it succeeded or not."""


class LocalRunner(tfx_runner.IrBasedRunner):  # type: ignore[misc]
    """Runs the nodes of a pipeline with the results that TFX's LocalDagRunner would have.

    With workers, a node starts when the nodes whose outputs it reads have ended, see `Schedule`.
    If a node fails, the nodes after it are stopped, and the outputs of those that have already
    ended must be removed, see `discarded`: the result is that of running one node after the
    other. Of several errors, the one of the first node counts.

    The runner also reports progress, notices interruptions between nodes, and checks the files
    that nodes wrote, so that damaged outputs are not taken from the cache.

    Args:
        observer: Follows the progress.
        run_id: Name of the run.
        own_context: Type and name of the context for all executions of this root.
        keeper: Records and checks what nodes write.
        again: Ids of nodes to execute even if their outputs are in the cache.
        workers: Processes for the nodes; None to run one node after the other in this process.

    Attributes:
        findings: What was read from the artifacts of the nodes that ended.
        current: Id of the node that runs in this process, or failed; empty before the first.
        discarded: Executions that ended, but would not have started if the nodes had run one
            after the other.

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
        workers: NodeWorkers | None = None,
    ) -> None:
        self.findings = RunFindings()
        self.current = ''
        self.discarded: list[int] = []
        self._observer = observer
        self._run_id = run_id
        self._own_context = own_context
        self._keeper = keeper
        self._again = again
        self._workers = workers
        self._nodes: dict[str, pipeline_pb2.PipelineNode] = {}
        self._started: dict[str, float] = {}
        self._launched: dict[str, Launched] = {}
        self._results: dict[str, NodeResult] = {}
        self._pipeline_root = ''

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
        launcher = NodeLauncher(pipeline, self._keeper.find_damage, self._workers)
        try:
            with _executor(self._workers) as executor:
                self._run_nodes(launcher, executor)
        except BaseException as err:
            state: State = 'failed' if signals.interrupt_cause(err) is None else 'interrupted'
            for result in self.all_results(state):
                if result.id in self._started and result.id not in self._results:
                    self._end(result)
            raise

    def _run_nodes(self, launcher: NodeLauncher, executor: futures.Executor) -> None:
        schedule = Schedule(self._nodes)
        running: dict[futures.Future[Launched], str] = {}
        failed: tuple[str, Exception] | None = None
        while True:
            # A library may have caught the exception that a signal raised.
            signals.raise_if_interrupted()
            ready = schedule.find_ready(ended=self._launched, started=self._started)
            if failed is not None:
                ready = [node_id for node_id in ready if node_id not in self._after(failed[0])]
            free = max(0, (self._workers.count if self._workers else 1) - len(running))
            for node_id in ready[:free]:
                self._start(node_id)
                node, cache = self._nodes[node_id], node_id not in self._again
                running[executor.submit(launcher.launch, node, cache=cache)] = node_id
            if not running:
                break
            done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
            for future in done:
                node_id = running.pop(future)
                try:
                    self._finish(node_id, future.result())
                except StoppedError:
                    assert failed is not None
                    note = f'stopped, because {failed[0]} failed'
                    self._end(NodeResult(id=node_id, state='skipped', note=note))
                except Exception as err:
                    self._end(
                        NodeResult(id=node_id, state='failed', seconds=self._seconds(node_id))
                    )
                    if failed is None or failed[0] in self._after(node_id):
                        failed = node_id, err
                    if self._workers is not None:
                        self._workers.stop(self._after(node_id))
        if failed is not None:
            self.current, error = failed
            self._discard_after(self.current)
            raise error

    def all_results(self, state: State) -> list[NodeResult]:
        """Return a result for each node; those that have not ended have the state `state`."""
        return [
            self._results.get(node_id)
            or (
                NodeResult(id=node_id, state=state, seconds=self._seconds(node_id))
                if node_id in self._started
                else NodeResult(id=node_id, state='skipped')
            )
            for node_id in self._nodes
        ]

    def damaged_input(self) -> Exception | None:
        """Return the error for a damaged input of the current node, None if there is none."""
        node = self._nodes.get(self.current)
        upstream = node.upstream_nodes if node is not None else ()
        outputs = {name: one.outputs for name, one in self._launched.items() if name in upstream}
        return self._keeper.damaged_input(self.current, outputs)

    def _after(self, node_id: str) -> list[str]:
        index, _ = self._place(node_id)
        return list(self._nodes)[index:]

    def _start(self, node_id: str) -> None:
        self.current, self._started[node_id] = node_id, time.monotonic()
        self._observer.node_started(*self._place(node_id), node_id)

    def _finish(self, node_id: str, launched: Launched) -> None:
        cached = launched.cached
        changed_something = _CHANGED_SOMETHING.get(node_id)
        if changed_something is not None and not changed_something(launched.outputs):
            # It changed nothing: it counts as cached if the node before it is.
            before = list(self._nodes)[list(self._nodes).index(node_id) - 1]
            cached = self._results[before].state == 'cached'
        self._keeper.keep(launched.outputs)
        notes = [self.findings.add(node_id, launched.outputs)]
        if launched.damage:
            where = launched.damage.removeprefix(f'{self._pipeline_root}/')
            notes.insert(0, f'executed again: {where}')
        self._launched[node_id] = launched
        state: State = 'cached' if cached else 'executed'
        note = '; '.join(filter(None, notes))
        self._end(NodeResult(id=node_id, state=state, note=note, seconds=self._seconds(node_id)))

    def _end(self, result: NodeResult) -> None:
        self._results[result.id] = result
        self._observer.node_finished(*self._place(result.id), result)

    def _discard_after(self, failed: str) -> None:
        """Have the nodes after a failed one count as not executed."""
        note = f'its outputs were removed, because {failed} failed'
        for node_id in self._after(failed):
            launched = self._launched.pop(node_id, None)
            if launched is None:  # it failed, too, or it was stopped
                self._results.pop(node_id, None)
                self._started.pop(node_id, None)
            else:
                self._end(NodeResult(id=node_id, state='skipped', note=note))
                if not launched.cached:
                    self.discarded.append(launched.execution_id)
        self.findings = RunFindings()
        for node_id, launched in self._launched.items():
            self.findings.add(node_id, launched.outputs)

    def _place(self, node_id: str) -> tuple[int, int]:
        return list(self._nodes).index(node_id) + 1, len(self._nodes)

    def _seconds(self, node_id: str) -> float:
        return round(time.monotonic() - self._started[node_id], 3)


@contextlib.contextmanager
def _executor(workers: NodeWorkers | None) -> Iterator[futures.Executor]:
    """Return what launches nodes: threads that wait for the workers, or else this thread."""
    if workers is None:
        # Signals interrupt only the main thread.
        yield _ThisThread()
        return
    with futures.ThreadPoolExecutor(workers.count) as threads:
        try:
            yield threads
        except BaseException:
            # The threads end when their workers do.
            workers.stop()
            raise


class _ThisThread(futures.Executor):
    """Calls each function when it is submitted."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        future: futures.Future[Any] = futures.Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as err:
            future.set_exception(err)
        return future
