"""Shows the learning curves of all runs in TensorBoard."""

from __future__ import annotations

import os
import pathlib
import threading

from components.common.errors import ConfigError, DataError
from pipeline.process import signals
from pipeline.process.logs import no_framework_noise
from pipeline.report.lineage import Lineage
from pipeline.results import outcome as outcomes
from pipeline.store.choice import backend_of_run

_SEPARATOR = ','  # between the folders in TensorBoard's argument


def find_curves(root: pathlib.Path, name: str | None = None) -> dict[str, str]:
    """Return the folders with the learning curves of all models, oldest first, and their labels.

    The label is the first run of the model and its preset; later runs may reuse the model.

    Args:
        root: The folder of all runs.
        name: Name of the pipeline; None for all pipelines, which the labels name.

    Raises:
        DataError: If no run has trained a model.
        ServiceError: If the server of a shared store is not available.

    Example:
        serve(find_curves(pathlib.Path('runs')), port=None)
    """
    stores: dict[str, Lineage | None] = {}
    labels: dict[str, str] = {}
    for record in outcomes.load_records(root):
        if name not in (None, record.name):
            continue
        backend = backend_of_run(record.config, root)
        if backend.where not in stores:
            config = backend.reader()
            stores[backend.where] = Lineage(config) if config else None
        lineage = stores[backend.where]
        trainer = lineage.nodes(record.run_id).get('Trainer') if lineage else None
        folder = trainer.uri('model_run') if trainer else None
        if folder is not None and os.path.isdir(folder):
            label = f'{record.run_id} {record.config.get("preset", "")}'
            labels.setdefault(folder, label if name else f'{record.name} {label}')
    if not labels:
        of_name = f' of {name}' if name else ''
        raise DataError(
            f'no run{of_name} below {root} has trained a model',
            hint='start a run, or pass its --root',
        )
    return labels


def serve(curves: dict[str, str], port: int | None) -> None:
    """Run TensorBoard on the loopback interface until it is interrupted.

    Args:
        curves: Label of each folder with learning curves.
        port: None for the default port or the next free one; 0 for any free port.

    Raises:
        ConfigError: If the port is in use, or a path has a comma.
    """
    if any(_SEPARATOR in folder for folder in curves):
        raise ConfigError(
            f'expected paths without a comma for TensorBoard, got {min(curves)}',
            hint='pass another --root',
        )
    with no_framework_noise() as terminal:
        from tensorboard import program

        board = program.TensorBoard()
        board.configure(
            # Some plugins do not follow symbolic links, so pass each folder.
            logdir_spec=_SEPARATOR.join(f'{label}:{folder}' for folder, label in curves.items()),
            host='127.0.0.1',
            port=port,
        )
        try:
            url = board.launch()
        except program.TensorBoardServerException as err:
            raise ConfigError(str(err), hint='pass another --port, or 0 for any free port') from err
        print(f'{url} (press Ctrl-C to stop)', file=terminal.out, flush=True)
        try:
            threading.Event().wait()
        except signals.Terminated:
            raise
        except KeyboardInterrupt:
            return
