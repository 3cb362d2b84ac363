"""Reads the nodes of a run, their artifacts and fingerprints from ML Metadata."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from pipeline.report.view import Artifact, RecordedNode
from pipeline.store.metadata_store import open_store

# Types of the contexts in which TFX puts executions.
_RUN_CONTEXT = 'pipeline_run'
_NODE_CONTEXT = 'node'
_FINGERPRINT_PROPERTY = 'fingerprint'
# The outputs of a resolver are internal outputs.
_OUTPUT_EVENTS = (
    metadata_store_pb2.Event.OUTPUT,
    metadata_store_pb2.Event.INTERNAL_OUTPUT,
)


class Lineage:
    """Reads a store of ML Metadata.

    Args:
        config: The ConnectionConfig of an existing store, which is only read.
        of_own: Takes the store and returns the ids of the executions that `unfinished`
            and `latest_outputs` consider; None for all executions.

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
        events = self._store.get_events_by_execution_ids([e.id for e in executions])
        artifacts = self._artifacts({event.artifact_id for event in events})

        def of(execution: Any, types: tuple[int, ...]) -> tuple[Artifact, ...]:
            found = [
                _artifact(artifacts[event.artifact_id], event)
                for event in events
                if event.execution_id == execution.id
                and event.type in types
                and event.artifact_id in artifacts
            ]
            return tuple(sorted(found, key=lambda artifact: artifact.id))

        return {
            self._node_id(execution): RecordedNode(
                inputs=of(execution, (metadata_store_pb2.Event.INPUT,)),
                outputs=of(execution, _OUTPUT_EVENTS),
                fingerprint=execution.custom_properties[_FINGERPRINT_PROPERTY].string_value,
            )
            for execution in executions
        }

    def unfinished(self) -> list[tuple[str, str]]:
        """Return node and run of the executions that started and did not end."""
        running = metadata_store_pb2.Execution.RUNNING
        return [
            (self._node_id(execution), self._run_id(execution))
            for execution in self._store.get_executions()
            if execution.last_known_state == running and self._is_own(execution)
        ]

    def latest_outputs(self) -> list[tuple[str, Artifact]]:
        """Return the node and output artifacts of the latest complete execution of each node."""
        complete = (
            metadata_store_pb2.Execution.COMPLETE,
            metadata_store_pb2.Execution.CACHED,
        )
        latest: dict[str, Any] = {}
        for context in self._store.get_contexts_by_type(_NODE_CONTEXT):
            done = [
                execution
                for execution in self._store.get_executions_by_context(context.id)
                if execution.last_known_state in complete and self._is_own(execution)
            ]
            if done:
                latest[context.name] = max(done, key=lambda execution: int(execution.id))
        owners = {execution.id: name for name, execution in latest.items()}
        events = [
            event
            for event in self._store.get_events_by_execution_ids(list(owners))
            if event.type == event.OUTPUT
        ]
        artifacts = self._artifacts({event.artifact_id for event in events})
        found = [
            (owners[event.execution_id], _artifact(artifacts[event.artifact_id], event))
            for event in events
            if event.artifact_id in artifacts
        ]
        return sorted(found, key=lambda pair: pair[1].id)

    def _is_own(self, execution: Any) -> bool:
        return self._own is None or execution.id in self._own

    def _run_id(self, execution: Any) -> str:
        for context in self._store.get_contexts_by_execution(execution.id):
            if context.type == _RUN_CONTEXT:
                return str(context.name)
        return 'a run'

    def _artifacts(self, ids: Iterable[int]) -> dict[int, Any]:
        live = metadata_store_pb2.Artifact.LIVE
        # The artifacts of a failed node are not live.
        found = self._store.get_artifacts_by_id(sorted(ids))
        return {a.id: a for a in found if a.state in (live, metadata_store_pb2.Artifact.UNKNOWN)}

    def _node_id(self, execution: Any) -> str:
        for context in self._store.get_contexts_by_execution(execution.id):
            if context.type == _NODE_CONTEXT:
                return str(context.name).rpartition('.')[2]
        return str(execution.type)


def _artifact(artifact: Any, event: Any) -> Artifact:
    return Artifact(
        id=artifact.id, key=event.path.steps[0].key, type=artifact.type, uri=artifact.uri
    )
