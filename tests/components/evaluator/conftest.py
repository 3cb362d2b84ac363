from __future__ import annotations

import pytest

from tests.components.trainer.tiny import Exported, Tiny, make_exported, make_tiny


@pytest.fixture(scope='session')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.getbasetemp())


@pytest.fixture(scope='session')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return make_exported(tmp_path_factory.getbasetemp())
