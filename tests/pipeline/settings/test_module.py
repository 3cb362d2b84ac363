"""The setting `module`: it chooses the preset, and must fit the model."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ConfigError
from pipeline.settings.config import PipelineConfig, load_config

RUN_FN = 'def run_fn(fn_args): ...\n'
BUILD_MODEL = 'def build_model(hparams): ...\n'
PREPROCESSING_FN = 'def preprocessing_fn(inputs): ...\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(source: str, *settings: str, preset: str | None = None) -> PipelineConfig:
    pathlib.Path('my_model.py').write_text(source)
    flags = {'data.path': 'x.csv', 'module': 'my_model.py'}
    return load_config(preset=preset, flags=flags, settings=settings)


@pytest.mark.parametrize(
    ('source', 'preset'),
    [(BUILD_MODEL, 'module'), (RUN_FN + PREPROCESSING_FN, 'module'), (PREPROCESSING_FN, 'ngram')],
)
def test_preset_is_that_of_modules_when_the_module_has_a_model(source: str, preset: str) -> None:
    config = load(source, *(['trainer.model.output=logit'] if RUN_FN in source else []))
    assert config.preset == config.trainer.model.architecture == preset


def test_module_of_a_file_of_settings_chooses_the_preset(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'my_model.py').write_text(BUILD_MODEL)
    file = tmp_path / 'c.yaml'
    file.write_text('module: my_model.py\ntrainer: {model: {epochs: 2, config: {units: 3}}}\n')
    model = load_config(file=file, data='x.csv').trainer.model
    assert (model.architecture, model.epochs, model.config) == ('module', 2, {'units': 3})


@pytest.mark.parametrize(
    ('source', 'settings', 'preset', 'message', 'hint'),
    [
        (RUN_FN, (), None, 'run_fn of my_model.py may return a prob', 'trainer.model.output=logit'),
        (BUILD_MODEL, (), 'ngram', 'build_model, but the preset ngram trains', '--preset module'),
        (PREPROCESSING_FN, (), 'module', 'has no model: it defines prepro', '--preset ngram'),
        (BUILD_MODEL, ('module=',), None, 'architecture module needs a module$', '--module FILE'),
        (BUILD_MODEL, ('trainer.model.output=x',), None, "'probability' or 'logit', got 'x'", ''),
        ('def f(:', (), None, 'my_model.py, line 1: the module is not Python', 'correct it'),
    ],
)
def test_module_is_refused_before_anything_runs_when(
    source: str, settings: tuple[str, ...], preset: str | None, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(source, *settings, preset=preset)
    assert hint in caught.value.hint
