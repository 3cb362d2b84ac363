"""Clears what runs have left that did not end by themselves."""

from __future__ import annotations

import logging
import pathlib
import shutil

from ml_metadata import ListOptions, OrderByField
from ml_metadata.proto import metadata_store_pb2

from pipeline.store.backend import Backend
from pipeline.store.opening import opened_store

_log = logging.getLogger(__name__)

_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
# Executions that are looked at, those of a hundred runs: each run calls off what the one before it
# left. In a store of a thousand runs, all of them would take seconds.
_NEWEST = 1_000


def clear(backend: Backend, pipeline_root: pathlib.Path, name: str) -> int:
    """Call off the executions of dead runs, and remove what they have written.

    TFX begins each run anew, so an execution of a killed run would be RUNNING
    for ever, beside a folder that nobody reads and nobody removes.

    Args:
        backend: The ML Metadata store; need not be there. What other roots have
            in it is left alone: nobody here knows whether their runs are dead.
        pipeline_root: The folder of the nodes' artifacts.
        name: Of the pipeline. No run of it may be under way below this root: hold its lock.

    Returns:
        How many executions were called off. They are CANCELED then.
    """
    # Where TFX keeps what is of use while an execution runs.
    for folder in pipeline_root.glob('*/.system/*/*'):
        shutil.rmtree(folder, ignore_errors=True)
    if backend.reader() is None:
        return 0
    store = opened_store(backend.connection())
    context = store.get_context_by_type_and_name(*backend.own_context(name))
    if context is None:
        return 0
    # Not each ML Metadata takes a query for the state.
    newest = ListOptions(limit=_NEWEST, order_by=OrderByField.ID, is_asc=False)
    executions = store.get_executions_by_context(context.id, newest)
    active = [execution for execution in executions if execution.last_known_state in _ACTIVE]
    for execution in active:
        # First the files: if this is killed, too, the execution is found again.
        for folder in pipeline_root.glob(f'*/*/{execution.id}'):
            shutil.rmtree(folder, ignore_errors=True)
        execution.last_known_state = metadata_store_pb2.Execution.CANCELED
    if active:
        store.put_executions(active)
        _log.info('called off %d executions of runs that are dead', len(active))
    return len(active)
