"""Settings of the Trainer: the model's architecture with its own settings, and the decision.

Example:
    >>> TrainerSettings.model_validate({'model': {'architecture': 'ngram'}}).model.architecture
    'ngram'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import pydantic

from components.common.decision_threshold import DEFAULT_THRESHOLD
from components.common.settings import Settings
from components.trainer.models import ARCHITECTURES, ArchitectureSettings, load_settings_class
from components.trainer.threshold_aim import DEFAULT_AIM, Aim, parse_aim
from components.user_module.settings import ModuleSettings

TUNED: Literal['tuned'] = 'tuned'

if TYPE_CHECKING:
    ModelSettings = ArchitectureSettings
else:
    ModelSettings = Annotated[
        Union[tuple([*map(load_settings_class, ARCHITECTURES), ModuleSettings])],  # noqa: UP007
        pydantic.Field(discriminator='architecture'),
    ]


class TrainerSettings(Settings):
    """The model, how it is trained, and from which probability on a text is positive."""

    model: ModelSettings
    seed: int = pydantic.Field(
        1, ge=0, lt=2**31, description='seed of all random numbers in training'
    )
    threshold: float | Literal['tuned'] = pydantic.Field(
        DEFAULT_THRESHOLD,
        description='decision threshold: a text is positive if its probability is above it; a '
        'number above 0 and below 1, or tuned: the best one for threshold_aim on val',
    )
    threshold_aim: str | None = pydantic.Field(
        None,
        description='what a tuned threshold maximises: accuracy, balanced_accuracy, f1, or recall '
        f'at precision P, such as recall at precision 0.8; null: {DEFAULT_AIM}',
    )

    @pydantic.field_validator('threshold', mode='before')
    @classmethod
    def _threshold_in_range(cls, threshold: Any) -> float | str:
        if threshold == TUNED:
            return TUNED
        number = isinstance(threshold, float | int) and not isinstance(threshold, bool)
        if not number or not 0 < threshold < 1:
            raise ValueError(f'expected {TUNED}, or a number above 0 and below 1')
        return float(threshold)

    @pydantic.field_validator('threshold_aim')
    @classmethod
    def _valid_aim(cls, aim: str | None, info: pydantic.ValidationInfo) -> str | None:
        if aim is None:
            return None
        if info.data.get('threshold', TUNED) != TUNED:
            raise ValueError(f'expected trainer.threshold={TUNED} beside an aim')
        return str(parse_aim(aim))

    @property
    def aim(self) -> Aim:
        """What a tuned threshold maximises."""
        return parse_aim(self.threshold_aim or DEFAULT_AIM)

    def of_weights(self) -> dict[str, Any]:
        """Return the settings that determine the weights: all but those of the threshold."""
        return self.model_dump(exclude={'threshold', 'threshold_aim'})
