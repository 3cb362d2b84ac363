"""Reads the nodes of a run, their artifacts and fingerprints from ML Metadata."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from pipeline.report.view import Artifact, RecordedNode
from pipeline.store.metadata_store import open_store

# Types of the contexts in which TFX puts executions.
_RUN_CONTEXT = 'pipeline_run'
_NODE_CONTEXT = 'node'
_FINGERPRINT_PROPERTY = 'fingerprint'


class Lineage:
    """Reads a store of ML Metadata.

    Args:
        config: The ConnectionConfig of an existing store, which is only read.
        of_own: Takes the store and returns the ids of the executions that `latest_outputs`
            considers; None for all executions.

    Example:
        lineage = Lineage(config)
        folder = lineage.nodes(run_id)['Trainer'].uri('model')
    """

    def __init__(
        self, config: Any, of_own: Callable[[Any], Collection[int] | None] | None = None
    ) -> None:
        self._store = open_store(config)
        self._own = of_own(self._store) if of_own else None

    def nodes(self, run_id: str) -> dict[str, RecordedNode]:
        """Return the nodes of a run by id; empty if the run is not recorded."""
        context = self._store.get_context_by_type_and_name(_RUN_CONTEXT, run_id)
        if context is None:
            return {}
        executions = self._store.get_executions_by_context(context.id)
        inputs = self._artifacts(executions, metadata_store_pb2.Event.INPUT)
        outputs = self._artifacts(executions, metadata_store_pb2.Event.OUTPUT)
        return {
            self._node_id(execution): RecordedNode(
                inputs=inputs[execution.id],
                outputs=outputs[execution.id],
                fingerprint=execution.custom_properties[_FINGERPRINT_PROPERTY].string_value,
            )
            for execution in executions
        }

    def latest_outputs(self) -> list[tuple[str, Artifact]]:
        """Return the node and output artifacts of the latest complete execution of each node."""
        latest: dict[str, Any] = {}
        for context in self._store.get_contexts_by_type(_NODE_CONTEXT):
            done = [
                execution
                for execution in self._store.get_executions_by_context(context.id)
                if execution.last_known_state in (execution.COMPLETE, execution.CACHED)
                and self._is_own(execution)
            ]
            if done:
                latest[context.name] = max(done, key=lambda execution: int(execution.id))
        outputs = self._artifacts(list(latest.values()), metadata_store_pb2.Event.OUTPUT)
        found = [
            (name, artifact)
            for name, execution in latest.items()
            for artifact in outputs[execution.id]
        ]
        return sorted(found, key=lambda pair: pair[1].id)

    def _is_own(self, execution: Any) -> bool:
        return self._own is None or execution.id in self._own

    def _node_id(self, execution: Any) -> str:
        contexts = self._store.get_contexts_by_execution(execution.id)
        names = (str(context.name) for context in contexts if context.type == _NODE_CONTEXT)
        return next(names, 'unknown').rpartition('.')[2]

    def _artifacts(self, executions: list[Any], kind: int) -> dict[int, tuple[Artifact, ...]]:
        """Return the input or output artifacts of each execution, in the order of their ids."""
        events = [
            event
            for event in self._store.get_events_by_execution_ids([e.id for e in executions])
            if event.type == kind
        ]
        stored = self._store.get_artifacts_by_id(sorted({event.artifact_id for event in events}))
        # The artifacts of a failed node are not live.
        live = {a.id: a for a in stored if a.state in (a.LIVE, a.UNKNOWN)}
        found: dict[int, list[Artifact]] = {execution.id: [] for execution in executions}
        for event in sorted(events, key=lambda event: int(event.artifact_id)):
            if event.artifact_id in live:
                artifact = live[event.artifact_id]
                found[event.execution_id].append(
                    Artifact(id=artifact.id, key=event.path.steps[0].key, uri=artifact.uri)
                )
        return {execution_id: tuple(artifacts) for execution_id, artifacts in found.items()}
