"""Pushed versions, to go back to and to remove."""

from __future__ import annotations

import pathlib

import pytest

from tests.pipeline.models.served import Served, make_sound


@pytest.fixture(scope='session')
def sound(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return make_sound(tmp_path_factory.mktemp('sound'))


@pytest.fixture
def served(tmp_path: pathlib.Path, sound: pathlib.Path) -> Served:
    return Served(tmp_path / 'runs', sound)
