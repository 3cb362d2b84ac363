"""The training history that the Trainer writes; read without TensorFlow."""

from __future__ import annotations

import os

import pydantic

HISTORY_FILE = 'history.json'

_FORMAT = pydantic.TypeAdapter(dict[str, list[float]])


def read_history(folder: str) -> dict[str, list[float]]:
    """Read the training history from the folder of the Trainer's artifact `model_run`.

    Returns:
        By name of a metric (`loss`, `binary_accuracy`, and both with the prefix
        `val_`), its value after each epoch.

    Raises:
        FileNotFoundError: If the history file does not exist.
        ValueError: If the file is not a history.
    """
    with open(os.path.join(folder, HISTORY_FILE), 'rb') as file:
        return _FORMAT.validate_json(file.read())
