"""Clears what runs have left that did not end by themselves."""

from __future__ import annotations

import logging
import pathlib
import shutil

from ml_metadata import ListOptions, OrderByField
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

_log = logging.getLogger(__name__)

# As TFX calls the context that it puts all executions of a pipeline into.
_PIPELINE_CONTEXT = 'pipeline'
_ACTIVE = (metadata_store_pb2.Execution.NEW, metadata_store_pb2.Execution.RUNNING)
# Executions that are looked at, those of a hundred runs: each run calls off what the one before it
# left. In a store of a thousand runs, all of them would take seconds.
_NEWEST = 1_000


def clear(metadata_path: pathlib.Path, pipeline_root: pathlib.Path, name: str) -> int:
    """Call off the executions of dead runs, and remove what they have written.

    TFX begins each run anew, so an execution of a killed run would be RUNNING
    for ever, beside a folder that nobody reads and nobody removes.

    Args:
        metadata_path: The ML Metadata store; need not be there.
        pipeline_root: The folder of the nodes' artifacts.
        name: Of the pipeline. No run of it may be under way: hold its lock.

    Returns:
        How many executions were called off. They are CANCELED then.
    """
    # Where TFX keeps what is of use while an execution runs.
    for folder in pipeline_root.glob('*/.system/*/*'):
        shutil.rmtree(folder, ignore_errors=True)
    if not metadata_path.is_file():
        return 0
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(metadata_path)
    config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE
    store = metadata_store.MetadataStore(config)
    context = store.get_context_by_type_and_name(_PIPELINE_CONTEXT, name)
    if context is None:
        return 0
    # ML Metadata 1.21 takes no query for the state.
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
