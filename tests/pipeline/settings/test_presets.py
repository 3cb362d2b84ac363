from __future__ import annotations

import inspect

import pytest

from components.common.errors import ConfigError
from components.trainer.models import ARCHITECTURES, load_architecture, load_settings_class
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.settings.presets import DEFAULT_PRESET, PRESETS


def load(preset: str, *settings: str) -> PipelineConfig:
    return load_config(preset=preset, flags={'data.path': 'x.csv'}, settings=settings)


@pytest.mark.parametrize('preset', PRESETS)
def test_architecture_can_be_trained_when_a_preset_names_it(preset: str) -> None:
    train = load_architecture(load(preset).trainer.model.architecture)
    assert list(inspect.signature(train).parameters) == ['job']


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_architecture_has_a_preset_when_it_is_known(architecture: str) -> None:
    assert architecture in {
        preset['trainer']['model']['architecture'] for preset in PRESETS.values()
    }


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_settings_are_the_defaults_when_another_architecture_is_set(architecture: str) -> None:
    config = load(DEFAULT_PRESET, f'trainer.model.architecture={architecture}')
    assert config.trainer.model == load_settings_class(architecture)()


@pytest.mark.parametrize('preset', PRESETS)
def test_every_value_of_a_preset_arrives_when_it_is_loaded(preset: str) -> None:
    loaded = load(preset).model_dump()
    for section, values in PRESETS[preset].items():
        for name, value in values.items():
            found = loaded[section][name]
            assert (found | value if isinstance(value, dict) else value) == found


@pytest.mark.parametrize('preset', PRESETS)
def test_gate_can_fail_when_a_preset_sets_it(preset: str) -> None:
    gate = load(preset).gate
    assert 0.5 < gate.min_accuracy < 1
    assert gate.max_accuracy_drop < 0.5


@pytest.mark.parametrize('name', ['rnn', 'Ngram', '', '../ngram', '__init__'])
def test_error_names_the_architectures_when_one_is_unknown(name: str) -> None:
    known = ', '.join(map(repr, ARCHITECTURES))
    message = f'^trainer.model.architecture: expected one of {known}, got '
    with pytest.raises(ConfigError, match=message) as caught:
        load(DEFAULT_PRESET, f'trainer.model.architecture="{name}"')
    assert repr(name) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('trainer.model.max_ngram=0', 'max_ngram: .*greater than or equal to 1, got 0'),
        ('trainer.model.max_ngram=4', 'max_ngram: .*less than or equal to 3, got 4'),
        ('trainer.model.min_ngram_documents=0', 'min_ngram_documents: .*equal to 1, got 0'),
        ('trainer.model.svm_cost=0', 'svm_cost: .*greater than 0, got 0'),
        ('trainer.model.svm_cost=.inf', 'svm_cost: .*finite'),
        ('trainer.model.fit_to_val=perhaps', "fit_to_val: .*boolean.*, got 'perhaps'"),
    ],
)
def test_error_names_the_setting_when_an_ngram_setting_is_bad(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(DEFAULT_PRESET, setting)


def test_every_id_fits_into_an_ngram_when_the_vocabulary_is_the_largest() -> None:
    from components.trainer.models.ngram.ngrams import ID_BITS, MAX_NGRAM

    largest = load('ngram', 'text.vocab_size=1000000', f'trainer.model.max_ngram={MAX_NGRAM}')
    assert largest.text.vocab_size <= 2**ID_BITS
