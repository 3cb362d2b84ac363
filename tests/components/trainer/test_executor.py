from __future__ import annotations

import json
from typing import Any

import pytest
from tfx.components.trainer import executor as tfx_executor

from components.common.settings import TextSettings
from components.trainer.executor import Executor
from components.trainer.run import TEXT_KEY, TRAINER_KEY
from components.trainer.settings import TrainerSettings
from tests.components.trainer.settings import trainer_settings


@pytest.fixture
def tfx_properties(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace TFX's executor; return the properties that it receives."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        tfx_executor.GenericExecutor, 'Do', lambda self, _, __, properties: given.append(properties)
    )
    return given


def test_run_fn_gets_the_overridden_settings_when_a_run_overrides_some(
    tfx_properties: list[dict[str, Any]],
) -> None:
    config = {
        TRAINER_KEY: trainer_settings('tutorial', epochs=10, dropout=0.1).model_dump(),
        TEXT_KEY: TextSettings().model_dump(),
    }
    # The tutorial's model has no `svm_cost`, so a value for it has no effect.
    given = {'epochs': 2, 'learning_rate': 0.25, 'seed': 9, 'svm_cost': 0.5}
    properties = {'custom_config': json.dumps(config), **given}
    Executor().Do({}, {}, properties)
    (found,) = (json.loads(given['custom_config']) for given in tfx_properties)
    expected = trainer_settings('tutorial', seed=9, epochs=2, dropout=0.1, learning_rate=0.25)
    assert TrainerSettings.model_validate(found[TRAINER_KEY]) == expected
    assert TextSettings.model_validate(found[TEXT_KEY]) == TextSettings()
    assert properties['custom_config'] == json.dumps(config)
