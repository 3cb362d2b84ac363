from __future__ import annotations

import inspect
import pathlib

import pytest

from components.common.settings import ARCHITECTURES, TrainerSettings
from components.trainer import models
from components.trainer.models import load_architecture


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_every_architecture_that_can_be_set_is_there_when_it_is_loaded(name: str) -> None:
    assert TrainerSettings(architecture=name).architecture == name
    train = load_architecture(name)
    assert train.__module__ == f'{models.__name__}.{name}'
    assert list(inspect.signature(train).parameters) == ['job']


def test_every_architecture_can_be_set_when_there_is_a_file_of_it() -> None:
    (folder,) = map(pathlib.Path, models.__path__)
    files = {path.stem for path in folder.glob('*.py')} - {'__init__'}
    assert files == set(ARCHITECTURES)
