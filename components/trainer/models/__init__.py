"""The architectures of the model; each is a folder here.

To add an architecture, add its folder and its name to `ARCHITECTURES`. The folder has two
modules:

- `settings` defines the class `<Name>Settings`, derived from `ArchitectureSettings`. It imports
  pydantic and nothing heavier, because each command loads it.
- `model` defines the function `train`, which takes a `TrainingJob` and returns a
  `TrainedModel`. It is imported when a model of this architecture is trained.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar, cast

from components.common.settings import Settings

ARCHITECTURES = ('tutorial', 'ngram')


class ArchitectureSettings(Settings):
    """Settings of one architecture.

    A subclass declares `architecture` as the literal name of its folder.
    """

    # The settings that a run of a compiled pipeline may change.
    run_time_settings: ClassVar[tuple[str, ...]] = ()

    architecture: str


def load_architecture(name: str) -> Callable[..., Any]:
    """Return the function `train` of an architecture.

    Example:
        >>> load_architecture('ngram').__module__
        'components.trainer.models.ngram.model'
    """
    return cast(Callable[..., Any], importlib.import_module(f'{__name__}.{name}.model').train)


def load_settings_class(name: str) -> type[ArchitectureSettings]:
    """Return the settings class of an architecture.

    Example:
        >>> load_settings_class('ngram').__name__
        'NgramSettings'
    """
    module = importlib.import_module(f'{__name__}.{name}.settings')
    return cast('type[ArchitectureSettings]', getattr(module, f'{name.capitalize()}Settings'))
