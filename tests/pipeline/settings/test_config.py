"""The configuration: where values come from, how bad ones are refused, and the presets."""

from __future__ import annotations

import inspect
import pathlib
import re

import pytest

from components.common import features
from components.common.errors import ConfigError
from components.trainer.models import ARCHITECTURES, load_architecture, load_settings_class
from pipeline.settings.config import PipelineConfig, load_config
from pipeline.settings.presets import DEFAULT_PRESET, MODULE_PRESET, PRESETS

OWN_PRESETS = tuple(preset for preset in PRESETS if preset != MODULE_PRESET)


def load(**sources: object) -> PipelineConfig:
    return load_config(**{'preset': 'tutorial', 'flags': {'data.path': 'x.csv'}, **sources})  # type: ignore[arg-type]


def test_flag_beats_file_and_file_beats_preset_when_all_are_given(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text('trainer: {model: {epochs: 3, batch_size: 64}}\ngate: {min_accuracy: 0.7}\n')
    config = load(
        file=file,
        flags={'data.path': 'x.csv', 'trainer.model.epochs': 4},
        settings=['trainer.model.epochs=5'],
    )
    assert config.trainer.model.epochs == 5
    assert config.trainer.model.batch_size == 64
    assert config.gate.min_accuracy == 0.7
    assert config.gate.max_accuracy_drop == 0.01


@pytest.mark.parametrize(
    ('option', 'in_file', 'used'),
    [
        (None, 'preset: accurate', 'accurate'),
        ('tutorial', 'preset: accurate', 'tutorial'),
        (None, 'root: runs', DEFAULT_PRESET),
    ],
)
def test_preset_is_that_of_the_option_or_else_of_the_file_when_both_may_name_one(
    option: str | None, in_file: str, used: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text(f'{in_file}\ngate: {{min_accuracy: 0.7}}\n')
    assert load(preset=option, file=file) == load(preset=used, settings=['gate.min_accuracy=0.7'])


@pytest.mark.parametrize('preset', ['best', '[ngram]', 'null', '{}', '1'])
def test_preset_is_refused_when_the_file_names_none_that_is_known(
    preset: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text(f'preset: {preset}\n')
    message = r'there is no preset .* \(named in .*c\.yaml\)'
    with pytest.raises(ConfigError, match=message) as caught:
        load(preset=None, file=file)
    assert 'accurate, module, ngram, tutorial' in caught.value.hint


@pytest.mark.parametrize('assignment', ['preset=accurate', 'preset =accurate'])
def test_preset_is_refused_when_it_comes_by_set(assignment: str) -> None:
    with pytest.raises(ConfigError, match='preset cannot be set by --set') as caught:
        load(settings=[assignment])
    assert caught.value.hint == 'pass --preset accurate'


@pytest.mark.parametrize(
    ('setting', 'message', 'hint'),
    [
        ('gate.min_acuracy=0.9', "no setting 'gate.min_acuracy'", 'gate.min_accuracy'),
        ('nonsense=1', "no setting 'nonsense'", 'config show'),
        ('trainer=1', 'trainer: .*, got 1', 'config show'),
        ('gate.min_auc.x=1', "gate.min_auc: .*number, got {'x': 1}", 'config show'),
        ('gate.min_accuracy.x=1', "no setting 'gate.min_accuracy.x'", 'gate.min_accuracy'),
        ('trainer.epochs=3', "no setting 'trainer.epochs'", 'did you mean trainer.model.epochs?'),
        ('trainer.max_ngram=3', "no setting 'trainer.max_ngram'", 'trainer.model.max_ngram?'),
        ('trainer.model.epoch=3', "no setting 'trainer.model.epoch'", 'trainer.model.epochs?'),
        (
            'trainer.model.dimensions=10',
            "^the architecture tutorial has no setting 'trainer.model.dimensions'$",
            'ngram has it: pass --preset ngram',
        ),
        ('trainer.model=1', 'trainer.model: .*, got 1', 'config show'),
        ('trainer.model={}', "trainer.model: .*'architecture', got {}", 'config show'),
        ('trainer.model.epochs=0', 'model.epochs: .*greater than or equal to 1, got 0', 'show'),
        ('trainer.model.epochs=many', "model.epochs: .*integer.*, got 'many'", 'config show'),
        ('trainer.model.learning_rate=.nan', 'model.learning_rate: .*finite', 'config show'),
        ('gate.min_accuracy=1.5', 'gate.min_accuracy: .*less than or equal to 1, got 1.5', ''),
        ('gate.min_accuracy=0', 'gate.min_accuracy: .*greater than 0, got 0', ''),
        ('gate.min_accuracy=', 'gate.min_accuracy: .*number, got None', ''),
        ('gate.slices={"1-9": 0.5}', 'expected a slice of 1-10, 11-50', ''),
        ('gate.slices={"1-10": 2}', "for the slice '1-10', got 2", ''),
        ('name=Über', "name: .*got 'Über'", ''),
        ('data.columns.test_percent=99', 'test_percent: .*less than or equal to 80', ''),
        ('text.punctuation=keep', "text.punctuation: .*'drop' or 'split', got 'keep'", ''),
        ('text.min_word_count=0', 'min_word_count: .*greater than or equal to 1, got 0', ''),
        ('text.vocab_size=1000001', 'vocab_size: .*or equal to 1000000, got 1000001', ''),
        ('no-equals-sign', 'expected --set NAME=VALUE', 'trainer.seed=5'),
        ('trainer.model.epochs=[1', 'expected YAML, got', ''),
    ],
)
def test_error_names_the_setting_when_it_is_bad(setting: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(settings=[setting])
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_error_names_all_architectures_that_have_a_setting_when_another_one_is_chosen() -> None:
    message = "^the architecture ngram has no setting 'trainer.model.epochs'$"
    with pytest.raises(ConfigError, match=message) as caught:
        load(preset='ngram', settings=['trainer.model.epochs=3'])
    assert caught.value.hint == 'tutorial and module have it: pass --preset NAME'


@pytest.mark.parametrize('bound', ['min_accuracy', 'max_accuracy_drop'])
def test_gate_is_refused_when_a_bound_is_missing(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = {k: v for k, v in PRESETS['tutorial']['gate'].items() if k != bound}
    monkeypatch.setattr(
        'pipeline.settings.config.PRESETS', {'bare': {**PRESETS['tutorial'], 'gate': gate}}
    )
    with pytest.raises(ConfigError, match=f'gate.{bound} is required'):
        load(preset='bare')


def test_missing_data_names_the_flag_when_nothing_is_given() -> None:
    with pytest.raises(ConfigError, match='data.path is required') as caught:
        load_config(preset='tutorial')
    assert '--data' in caught.value.hint


@pytest.mark.parametrize('content', ['- a list', '{not closed', '\xff\xfe'])
def test_file_is_refused_when_it_is_no_tree(tmp_path: pathlib.Path, content: str) -> None:
    file = tmp_path / 'c.yaml'
    file.write_bytes(content.encode('latin-1'))
    with pytest.raises(ConfigError, match='c.yaml'):
        load(file=file)


@pytest.mark.parametrize('name', ['root', 'serving_dir', 'cloud.pipeline_root'])
@pytest.mark.parametrize('folder', ['runs*', 'gs://bucket/a?', '/x/a[1]', 'a\\b'])
def test_folder_is_refused_when_tensorflow_takes_it_for_a_pattern(name: str, folder: str) -> None:
    with pytest.raises(ConfigError, match=f'^{name}: there is a .* in ') as caught:
        load(flags={'data.path': 'x*.csv', name: folder})
    assert 'whole path' in caught.value.hint


@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_architecture_can_be_trained_when_a_preset_names_it(preset: str) -> None:
    train = load_architecture(load(preset=preset).trainer.model.architecture)
    assert list(inspect.signature(train).parameters) == ['job']


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_architecture_has_a_preset_when_it_is_known(architecture: str) -> None:
    assert architecture in {
        preset['trainer']['model']['architecture'] for preset in PRESETS.values()
    }


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_settings_are_the_defaults_when_another_architecture_is_set(architecture: str) -> None:
    config = load(settings=[f'trainer.model.architecture={architecture}'])
    assert config.trainer.model == load_settings_class(architecture)()


@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_every_value_of_a_preset_arrives_when_it_is_loaded(preset: str) -> None:
    loaded = load(preset=preset).model_dump()
    for section, values in PRESETS[preset].items():
        for name, value in values.items():
            found = loaded[section][name]
            assert (found | value if isinstance(value, dict) else value) == found


@pytest.mark.parametrize('preset', OWN_PRESETS)
def test_gate_can_fail_when_a_preset_sets_it(preset: str) -> None:
    gate = load(preset=preset).gate
    assert 0.5 < gate.min_accuracy < 1
    assert gate.max_accuracy_drop < 0.5


@pytest.mark.parametrize('name', ['rnn', 'Ngram', '', '../ngram', '__init__'])
def test_error_names_the_architectures_when_one_is_unknown(name: str) -> None:
    known = ', '.join(map(repr, [*ARCHITECTURES, features.MODULE_ARCHITECTURE]))
    message = f'^trainer.model.architecture: expected one of {known}, got {re.escape(repr(name))}$'
    with pytest.raises(ConfigError, match=message):
        load(settings=[f'trainer.model.architecture="{name}"'])


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ('max_ngram=0', 'max_ngram: .*greater than or equal to 1, got 0'),
        ('max_ngram=4', 'max_ngram: .*less than or equal to 3, got 4'),
        ('min_ngram_documents=0', 'min_ngram_documents: .*equal to 1, got 0'),
        ('svm_cost=0', 'svm_cost: .*greater than 0, got 0'),
        ('svm_cost=.inf', 'svm_cost: .*finite'),
        ('fit_to_val=perhaps', "fit_to_val: .*boolean.*, got 'perhaps'"),
    ],
)
def test_error_names_the_setting_when_an_ngram_setting_is_bad(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(preset='ngram', settings=[f'trainer.model.{setting}'])


def test_every_id_fits_into_an_ngram_when_the_vocabulary_is_the_largest() -> None:
    from components.trainer.models.ngram.ngrams import ID_BITS, MAX_NGRAM

    settings = ['text.vocab_size=1000000', f'trainer.model.max_ngram={MAX_NGRAM}']
    largest = load(preset='ngram', settings=settings)
    assert largest.text.vocab_size <= 2**ID_BITS
