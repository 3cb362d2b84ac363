"""A serving folder with pushed versions."""

from __future__ import annotations

import pathlib

import pytest

from tests.components.smoke_test import models
from tests.pipeline.models.served import Served


@pytest.fixture(scope='session')
def sound(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a SavedModel that passes the smoke test."""
    return models.save(tmp_path_factory.mktemp('sound') / 'sound')


@pytest.fixture
def served(tmp_path: pathlib.Path, sound: pathlib.Path) -> Served:
    return Served(tmp_path / 'runs', sound)
