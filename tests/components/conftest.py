"""A small transform graph and model, made once for all tests that need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.components.trainer.tiny import Exported, Tiny


@pytest.fixture(scope='session')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    from tests.components.trainer.tiny import make_tiny

    return make_tiny(tmp_path_factory.getbasetemp())


@pytest.fixture(scope='session')
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    from tests.components.trainer.tiny import make_exported

    return make_exported(tmp_path_factory.getbasetemp())
