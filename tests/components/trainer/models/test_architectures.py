from __future__ import annotations

import inspect
import pathlib

import pytest

from components.trainer import models
from components.trainer.models import ARCHITECTURES, load_architecture, load_settings_class
from components.trainer.settings import TrainerSettings


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_architecture_has_settings_and_a_train_function_when_it_is_listed(name: str) -> None:
    settings = TrainerSettings.model_validate({'model': {'architecture': name}}).model
    assert type(settings) is load_settings_class(name)
    assert settings.architecture == name
    assert set(settings.run_time_settings) <= set(type(settings).model_fields)
    train = load_architecture(name)
    assert train.__module__ == f'{models.__name__}.{name}.model'
    assert list(inspect.signature(train).parameters) == ['job']


def test_every_folder_is_listed_when_it_is_an_architecture() -> None:
    (folder,) = map(pathlib.Path, models.__path__)
    assert {path.parent.name for path in folder.glob('*/model.py')} == set(ARCHITECTURES)
