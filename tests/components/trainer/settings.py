"""Settings of trainers under test."""

from __future__ import annotations

from typing import Any

from components.trainer.settings import TrainerSettings


def trainer_settings(architecture: str, *, seed: int = 1, **model: Any) -> TrainerSettings:
    """Return settings of an architecture.

    >>> trainer_settings('ngram', svm_cost=2).model.svm_cost
    2.0
    """
    return TrainerSettings.model_validate(
        {'seed': seed, 'model': {'architecture': architecture, **model}}
    )


def with_model(trainer: TrainerSettings, **model: Any) -> TrainerSettings:
    """Return the settings with some of the model's changed."""
    return trainer.model_copy(update={'model': trainer.model.model_copy(update=model)})
