from __future__ import annotations

import math
from typing import Any

import pytest

from components.common.errors import ConfigError
from components.common.overrides import GATE_OVERRIDES, TRAINER_OVERRIDES, apply_overrides
from components.common.settings import TextSettings
from components.evaluator.settings import GateSettings
from components.trainer.settings import TrainerSettings

NAMES = ('max_tokens', 'vocab_size')


def test_settings_are_unchanged_when_a_run_overrides_nothing() -> None:
    settings = TextSettings(max_tokens=7)
    given = {'fingerprint': 'abc', 'min_word_count': 5}
    assert apply_overrides(settings, given, NAMES) == settings


def test_only_overridden_settings_change_when_a_run_overrides_some() -> None:
    settings = TextSettings(max_tokens=7, min_word_count=4)
    changed = apply_overrides(settings, {'vocab_size': 9}, NAMES)
    assert changed == TextSettings(max_tokens=7, min_word_count=4, vocab_size=9)


def test_override_is_refused_when_it_is_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r'^max_tokens: input should be .*, got 0$'):
        apply_overrides(TextSettings(), {'max_tokens': 0}, NAMES)


@pytest.mark.parametrize('name', GATE_OVERRIDES)
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, -0.1, 1.1, None, '', 'high'])
def test_bound_is_refused_when_it_is_not_a_fraction(name: str, value: Any) -> None:
    if name.endswith('_percent') and value == 1.1:
        value = 100.1
    gate = GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01)
    with pytest.raises(ConfigError, match=rf'^{name}: '):
        apply_overrides(gate, {name: value}, GATE_OVERRIDES)


def test_every_override_is_a_setting() -> None:
    assert set(TRAINER_OVERRIDES) <= set(TrainerSettings.model_fields)
    assert set(GATE_OVERRIDES) <= set(GateSettings.model_fields)
