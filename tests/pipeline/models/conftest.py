"""A serving folder with pushed versions."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from components.smoke_test.process import check
from components.smoke_test.run import make_request
from tests.components.smoke_test import models
from tests.pipeline.models.served import Served


@pytest.fixture(scope='session')
def sound(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a SavedModel that passes the smoke test."""
    return models.save(tmp_path_factory.mktemp('sound') / 'sound')


@pytest.fixture
def served(tmp_path: pathlib.Path, sound: pathlib.Path) -> Served:
    return Served(tmp_path / 'runs', sound)


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run smoke tests of rollbacks in this process, because a new one must import TensorFlow."""

    def smoke_test(model_dir: str, *, must_explain: bool) -> None:
        check(tf, make_request(model_dir, must_explain=must_explain))

    monkeypatch.setattr('pipeline.models.rollback.smoke_test', smoke_test)
