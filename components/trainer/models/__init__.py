"""The architectures. A further one is one new file and one line in `components.common.settings`.

Its file has a function `train`: a `TrainingJob` in, a `TrainedModel` out. What can be
trained on several devices has two more: `build` makes the compiled network, of padded
tokens, and `finish` of it the model. Nothing heavy is imported until one is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from components.trainer.fitting import Build, Finish, Train


def load_architecture(name: str) -> Train:
    """Return the function that trains the models of an architecture."""
    return cast('Train', importlib.import_module(f'{__name__}.{name}').train)


def load_builder(name: str) -> Build:
    """Return the function that makes the compiled network of a distributed architecture."""
    return cast('Build', importlib.import_module(f'{__name__}.{name}').build)


def load_finisher(name: str) -> Finish:
    """Return the function that makes the model of a distributed architecture's network."""
    return cast('Finish', importlib.import_module(f'{__name__}.{name}').finish)
