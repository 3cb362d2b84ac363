"""The architectures. A further one is one new file and one line in `components.common.settings`.

Its file has a function `train`: a `TrainingJob` in, a `TrainedModel` out. Nothing heavy is
imported until an architecture is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from components.trainer.fitting import Train


def load_architecture(name: str) -> Train:
    """Return the function that trains the models of an architecture."""
    return cast('Train', importlib.import_module(f'{__name__}.{name}').train)
