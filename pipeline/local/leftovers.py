"""Removes what killed and failed runs left behind."""

from __future__ import annotations

import logging
import pathlib
import shutil
from collections.abc import Collection

from ml_metadata import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2

from pipeline.store.artifacts import manifest_path
from pipeline.store.choice import Backend
from pipeline.store.metadata_store import open_store

_log = logging.getLogger(__name__)

_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
# Number of newest executions to read: those of a hundred runs. Older ones cannot be active, because
# each run cancels what the run before it left. Reading those of a thousand runs takes seconds.
_NEWEST_EXECUTIONS = 1_000


def clear(
    backend: Backend, pipeline_root: pathlib.Path, name: str, *, discarded: Collection[int] = ()
) -> int:
    """Cancel the executions of killed runs, and remove what they wrote.

    TFX never resumes an execution. Without this function, an execution of a killed
    run would stay RUNNING, and its folder would stay on the disk.

    Args:
        backend: The ML Metadata store, which may not exist yet. Executions of other
            roots are not touched: their runs may be alive.
        pipeline_root: The folder of the nodes' artifacts.
        name: Name of the pipeline. No run of it may be in progress below this root:
            hold its lock.
        discarded: Further executions to cancel, which have ended: their outputs must not be
            used by a later run.

    Returns:
        The number of executions that were cancelled.
    """
    # TFX keeps files here while an execution runs.
    for folder in pipeline_root.glob('*/.system/*/*'):
        shutil.rmtree(folder, ignore_errors=True)
    if backend.reader() is None:
        return 0
    store = open_store(backend.connection())
    context = store.get_context_by_type_and_name(*backend.own_context(name))
    if context is None:
        return 0
    # Filtered below, because not every version of ML Metadata can select by state.
    newest = ListOptions(limit=_NEWEST_EXECUTIONS, order_by=OrderByField.ID, is_asc=False)
    executions = store.get_executions_by_context(context.id, newest)
    active = [
        execution
        for execution in executions
        if execution.last_known_state in _ACTIVE or execution.id in discarded
    ]
    for execution in active:
        # Files first: if this process is also killed, the next one still finds the execution.
        for folder in pipeline_root.glob(f'*/*/{execution.id}'):
            shutil.rmtree(folder, ignore_errors=True)
            if manifest := manifest_path(folder):
                manifest.unlink(missing_ok=True)
        execution.last_known_state = metadata_store_pb2.Execution.CANCELED
    if active:
        store.put_executions(active)
        _log.info('cancelled %d executions of killed runs', len(active))
    return len(active)
