"""Settings of the Trainer: the model's architecture with its own settings, and the seed.

Example:
    >>> TrainerSettings.model_validate({'model': {'architecture': 'ngram'}}).model.architecture
    'ngram'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

import pydantic

from components.common.settings import Settings
from components.trainer.models import ARCHITECTURES, ArchitectureSettings, load_settings_class
from components.user_module.settings import ModuleSettings

if TYPE_CHECKING:
    ModelSettings = ArchitectureSettings
else:
    ModelSettings = Annotated[
        Union[tuple([*map(load_settings_class, ARCHITECTURES), ModuleSettings])],  # noqa: UP007
        pydantic.Field(discriminator='architecture'),
    ]


class TrainerSettings(Settings):
    """The model and how it is trained."""

    model: ModelSettings
    seed: int = pydantic.Field(
        1, ge=0, lt=2**31, description='seed of all random numbers in training'
    )
