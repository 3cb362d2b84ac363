"""How training went, as the Trainer keeps it; read without TensorFlow."""

from __future__ import annotations

import os

import pydantic

HISTORY_FILE = 'history.json'

_FORMAT = pydantic.TypeAdapter(dict[str, list[float]])


def read_history(folder: str) -> dict[str, list[float]]:
    """Read the history that a Trainer kept.

    Args:
        folder: Of its artifact `model_run`.

    Returns:
        By name of a metric (`loss`, `binary_accuracy`, and with `val_` before
        it), its value in each epoch.

    Raises:
        FileNotFoundError: If it is gone.
        ValueError: If it is not what the Trainer writes.
    """
    with open(os.path.join(folder, HISTORY_FILE), 'rb') as file:
        return _FORMAT.validate_json(file.read())
