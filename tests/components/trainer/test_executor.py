from __future__ import annotations

import json
from typing import Any

import pytest
from tfx.components.trainer import executor as tfx_executor

from components.common.settings import TextSettings, TrainerSettings
from components.trainer.executor import Executor
from components.trainer.run import TEXT_KEY, TRAINER_KEY


@pytest.fixture
def handed_on(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What TFX's executor is given, in place of running it."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        tfx_executor.GenericExecutor, 'Do', lambda self, _, __, properties: given.append(properties)
    )
    return given


def test_run_fn_is_given_the_settings_of_the_run_when_it_overrides_some(
    handed_on: list[dict[str, Any]],
) -> None:
    config = {
        TRAINER_KEY: TrainerSettings(epochs=10, dropout=0.1).model_dump(),
        TEXT_KEY: TextSettings().model_dump(),
    }
    properties = {'custom_config': json.dumps(config), 'epochs': 2, 'learning_rate': 0.25}
    Executor().Do({}, {}, properties)
    ((found),) = (json.loads(given['custom_config']) for given in handed_on)
    expected = TrainerSettings(epochs=2, dropout=0.1, learning_rate=0.25)
    assert TrainerSettings.model_validate(found[TRAINER_KEY]) == expected
    assert TextSettings.model_validate(found[TEXT_KEY]) == TextSettings()
    assert properties['custom_config'] == json.dumps(config)
