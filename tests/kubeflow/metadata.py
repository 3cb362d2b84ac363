"""The outputs of a run: before 3.0, only ML Metadata has them."""

from __future__ import annotations

from typing import Any

from tests.kubeflow.cluster import MLMD_PORT, request


def read_tasks(run_id: str) -> list[dict[str, Any]] | None:
    """Return the tasks of a run as the API of 3.0 has them, None before 3.0."""
    tasks: list[dict[str, Any]] | None
    tasks = request(f'/apis/v2beta1/runs/{run_id}?view=FULL').get('tasks')
    return tasks


def read_outputs(run_id: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the properties of each output of a run, by task and key."""
    tasks = read_tasks(run_id)
    if tasks is not None:
        return {
            task.get('name', ''): {
                output['artifact_key']: {
                    name.removeprefix('custom:'): value
                    for name, value in output['artifacts'][0].get('metadata', {}).items()
                }
                for output in task.get('outputs', {}).get('artifacts', [])
            }
            for task in tasks
        }
    from ml_metadata import errors
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as proto

    config = proto.MetadataStoreClientConfig(host='127.0.0.1', port=MLMD_PORT)
    store = metadata_store.MetadataStore(config)
    try:
        context = store.get_context_by_type_and_name('system.PipelineRun', run_id)
    except errors.NotFoundError:
        context = None
    assert context is not None, f'ML Metadata has no run {run_id}'
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for execution in store.get_executions_by_context(context.id):
        task = execution.custom_properties['task_name'].string_value
        outputs = found.setdefault(task, {})
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type == proto.Event.OUTPUT:
                (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                outputs[event.path.steps[0].key] = {
                    name: getattr(value, value.WhichOneof('value'))
                    for name, value in artifact.custom_properties.items()
                }
    return found
