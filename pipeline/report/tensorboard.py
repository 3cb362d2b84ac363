"""Shows in TensorBoard how the models of several runs were trained."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading
from typing import Any

from components.common.errors import ConfigError, DataError
from pipeline.process import signals
from pipeline.process.logs import no_framework_noise
from pipeline.results import outcome as outcomes
from pipeline.store.choice import backend_of_run
from pipeline.store.opening import opened_store

_LOOPBACK = '127.0.0.1'
_TRAINER = 'Trainer'
_LOGS = 'model_run'
_SEPARATOR = ','  # of the folders that TensorBoard is given


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curves:
    """What TensorBoard shows of one model.

    Attributes:
        label: Id of the run that trained it, and the run's preset; before them
            the name of the pipeline, where there are several.
        folder: What the Trainer logged, a folder each for `train` and `validation`.
        reused_by: Ids of the runs that took the model from the cache.
    """

    label: str
    folder: str
    reused_by: tuple[str, ...]


def find_curves(root: pathlib.Path, name: str | None = None) -> list[Curves]:
    """Find what the Trainers of all runs logged, oldest first.

    Args:
        root: Folder of all that the runs wrote.
        name: Of the pipeline; None for all.

    Raises:
        DataError: If no run has trained a model.
        ServiceError: If the server of a shared store cannot be used.
    """
    records = [record for record in outcomes.load_records(root) if name in (None, record['name'])]
    by_folder: dict[str, list[dict[str, Any]]] = {}
    for record, folder in zip(records, _folders(root, records)):
        if folder is not None and os.path.isdir(folder):
            by_folder.setdefault(folder, []).append(record)
    if not by_folder:
        whose = f' of {name}' if name else ''
        raise DataError(
            f'no run{whose} below {root} has trained a model', hint='run one, or name its --root'
        )
    names = {runs[0]['name'] for runs in by_folder.values()}
    label = '{run_id} {config[preset]}' if len(names) == 1 else '{name} {run_id} {config[preset]}'
    return [
        Curves(
            label=label.format_map(first),
            folder=folder,
            reused_by=tuple(run['run_id'] for run in later),
        )
        for folder, (first, *later) in by_folder.items()
    ]


def _folders(root: pathlib.Path, records: list[dict[str, Any]]) -> list[str | None]:
    """Return of each run the folder that its Trainer logged into, or that of the cached one."""
    stores: dict[str, Any] = {}

    def store_of(record: dict[str, Any]) -> Any | None:
        """Open the store of a run; most runs have the same."""
        backend = backend_of_run(record['config'], root)
        if backend.where not in stores:
            config = backend.reader()
            stores[backend.where] = opened_store(config) if config else None
        return stores[backend.where]

    def folder(record: dict[str, Any]) -> str | None:
        store = store_of(record)
        if store is None:
            return None
        of_run = _executions(store, 'pipeline_run', record['run_id'])
        of_node = _executions(store, 'node', f'{record["name"]}.{_TRAINER}')
        logs = [
            event.artifact_id
            for event in store.get_events_by_execution_ids(of_run & of_node)
            if event.type == event.OUTPUT and event.path.steps[0].key == _LOGS
        ]
        return str(store.get_artifacts_by_id(logs)[0].uri) if logs else None

    return [folder(record) for record in records]


def _executions(store: Any, kind: str, name: str) -> set[int]:
    context = store.get_context_by_type_and_name(kind, name)
    return {e.id for e in store.get_executions_by_context(context.id)} if context else set()


def serve(curves: list[Curves], port: int | None) -> None:
    """Run TensorBoard for this machine alone, until it is interrupted.

    Args:
        curves: What to show.
        port: None for TensorBoard's own, or the next that is free; 0 for any.

    Raises:
        ConfigError: If the port is in use, or TensorBoard cannot be told a folder.
    """
    for shown in curves:
        if _SEPARATOR in shown.folder:
            raise ConfigError(
                f'TensorBoard takes no folder with a comma in its path: {shown.folder}',
                hint='move the --root',
            )
    with no_framework_noise() as terminal:
        from tensorboard import program

        board = program.TensorBoard()
        board.configure(
            # Not symbolic links in one folder, which some of its plugins do not follow.
            logdir_spec=_SEPARATOR.join(f'{shown.label}:{shown.folder}' for shown in curves),
            host=_LOOPBACK,
            port=port,
        )
        try:
            url = board.launch()
        except program.TensorBoardServerException as err:
            raise ConfigError(str(err), hint='say another --port, or 0 for any') from err
        models = f'{len(curves)} model{"s" if len(curves) > 1 else ""}'
        for shown in curves:
            reused = f', reused by {", ".join(shown.reused_by)}' if shown.reused_by else ''
            print(f'{shown.label}{reused}', file=terminal.err)
        print(f'{models} at {url} (Ctrl-C ends it)', file=terminal.out, flush=True)
        _until_interrupted()


def _until_interrupted() -> None:
    """Wait for Ctrl-C, which is how it is meant to end."""
    try:
        threading.Event().wait()
    except signals.Terminated:
        raise
    except KeyboardInterrupt:
        return
