"""Shows the learning curves of all runs in TensorBoard."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

from components.common.errors import ConfigError, DataError
from pipeline.process import signals
from pipeline.process.logs import no_framework_noise
from pipeline.report.lineage import Lineage
from pipeline.results import outcome as outcomes
from pipeline.store.choice import backend_of_run

_LOOPBACK = '127.0.0.1'
_TRAINER = 'Trainer'
_LOGS = 'model_run'
_SEPARATOR = ','  # between the folders in TensorBoard's argument


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearningCurves:
    """The learning curves of one model.

    Attributes:
        label: Run id and preset, after the name of the pipeline if there are several.
        folder: Folder of the Trainer's logs.
        reused_by: Ids of the runs in which the Trainer was cached.
    """

    label: str
    folder: str
    reused_by: tuple[str, ...]


def find_curves(root: pathlib.Path, name: str | None = None) -> list[LearningCurves]:
    """Find the learning curves of all runs, oldest first.

    Args:
        root: The folder of all runs.
        name: Name of the pipeline; None for all pipelines.

    Raises:
        DataError: If no run has trained a model.
        ServiceError: If the server of a shared store is not available.

    Example:
        serve(find_curves(pathlib.Path('runs')), port=None)
    """
    records = [record for record in outcomes.load_records(root) if name in (None, record['name'])]
    by_folder: dict[str, list[dict[str, Any]]] = {}
    for record, folder in zip(records, _folders(root, records)):
        if folder is not None and os.path.isdir(folder):
            by_folder.setdefault(folder, []).append(record)
    if not by_folder:
        of_name = f' of {name}' if name else ''
        raise DataError(
            f'no run{of_name} below {root} has trained a model',
            hint='start a run, or pass its --root',
        )
    names = {runs[0]['name'] for runs in by_folder.values()}
    label = '{run_id} {config[preset]}' if len(names) == 1 else '{name} {run_id} {config[preset]}'
    return [
        LearningCurves(
            label=label.format_map(first),
            folder=folder,
            reused_by=tuple(run['run_id'] for run in later),
        )
        for folder, (first, *later) in by_folder.items()
    ]


def _folders(root: pathlib.Path, records: list[dict[str, Any]]) -> Iterator[str | None]:
    """Yield the folder of each run's Trainer logs, which a cached Trainer shares."""
    stores: dict[str, Lineage | None] = {}
    for record in records:
        backend = backend_of_run(record['config'], root)
        if backend.where not in stores:
            config = backend.reader()
            stores[backend.where] = Lineage(config) if config else None
        lineage = stores[backend.where]
        trainer = lineage.nodes(record['run_id']).get(_TRAINER) if lineage else None
        yield trainer.uri(_LOGS) if trainer else None


def serve(curves: list[LearningCurves], port: int | None) -> None:
    """Run TensorBoard on the loopback interface until it is interrupted.

    Args:
        curves: The curves to show.
        port: None for the default port or the next free one; 0 for any free port.

    Raises:
        ConfigError: If the port is in use, or a path has a comma.
    """
    for shown in curves:
        if _SEPARATOR in shown.folder:
            raise ConfigError(
                f'expected a path without a comma for TensorBoard, got {shown.folder}',
                hint='pass another --root',
            )
    with no_framework_noise() as terminal:
        from tensorboard import program

        board = program.TensorBoard()
        board.configure(
            # Some plugins do not follow symbolic links, so pass each folder.
            logdir_spec=_SEPARATOR.join(f'{shown.label}:{shown.folder}' for shown in curves),
            host=_LOOPBACK,
            port=port,
        )
        try:
            url = board.launch()
        except program.TensorBoardServerException as err:
            raise ConfigError(str(err), hint='pass another --port, or 0 for any free port') from err
        models = f'{len(curves)} model{"s" if len(curves) > 1 else ""}'
        for shown in curves:
            reused = f', reused by {", ".join(shown.reused_by)}' if shown.reused_by else ''
            print(f'{shown.label}{reused}', file=terminal.err)
        print(f'{models} at {url} (press Ctrl-C to stop)', file=terminal.out, flush=True)
        _until_interrupted()


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except signals.Terminated:
        raise
    except KeyboardInterrupt:
        return
