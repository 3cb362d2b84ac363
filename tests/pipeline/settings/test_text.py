"""Settings as YAML: complete, with descriptions, and loaded unchanged."""

from __future__ import annotations

import pathlib

import pydantic
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.common.settings import Settings
from pipeline.settings.config import load_config
from pipeline.settings.presets import MODULE_PRESET, PRESETS
from pipeline.settings.text import text_of

FULL = (
    'gate.slices={"1-10": 0.7, "401+": 0.9}',
    'cloud.resources={"Trainer": {"cpu": 8, "memory_gb": 32}}',
    'cloud.volumes={"/mnt/reviews": "reviews"}',
    'cloud.pod={"Pusher": {"tolerations": [{"key": "a", "value": "b"}, {"operator": "Exists"}]}}',
    'beam.args=["--a=1", "--b=[c], # d"]',
    'gate.max_accuracy_drop=0.00001',
)


class Inner(Settings):
    """A section with a long description.

    It goes on in another paragraph.
    """

    of_it: bool = pydantic.Field(True, description='short')


class Outer(Settings):
    """The whole."""

    text: str = pydantic.Field('a', description='what is longer than its line ' * 3 + 'is wrapped')
    inner: Inner = Inner()
    more: dict[str, Inner] = pydantic.Field({}, description='by name')


@given(st.text(min_size=1), st.dictionaries(st.text(max_size=50), st.builds(Inner)))
def test_text_reads_back_when_a_value_is_any_text(text: str, more: dict[str, Inner]) -> None:
    settings = Outer(text=text, more=more)
    assert yaml.safe_load(text_of(settings)) == settings.model_dump()


def test_descriptions_stand_beside_the_values_when_they_fit() -> None:
    expected = [
        ('text: a', 'what is longer than its line what is longer than its line what'),
        ('', 'is longer than its line is wrapped'),
        ('inner:', 'A section with a long description. It goes on in another'),
        ('', 'paragraph.'),
        ('  of_it: true', 'short'),
        ('more:', 'by name'),
    ]
    assert text_of(Outer(more={'x': Inner()})).splitlines()[2:] == [
        *(f'{setting:<34}# {comment}' for setting, comment in expected),
        '  x:',
        '    of_it: true                   # short',
    ]


def test_description_begins_below_when_a_value_is_long() -> None:
    first, second = text_of(Outer(text='b' * 200)).splitlines()[2:4]
    assert first == f'text: {"b" * 200}'
    assert second.strip().startswith('# what is longer')


@pytest.mark.parametrize('preset', PRESETS)
def test_every_setting_is_explained_when_all_are_shown(
    preset: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = {'data.path': 'x.csv'}
    if preset == MODULE_PRESET:
        pathlib.Path('my_model.py').write_text('def build_model(hparams): ...')
        flags['module'] = 'my_model.py'
    config = load_config(preset=preset, flags=flags, settings=FULL)
    shown = text_of(config)
    assert yaml.safe_load(shown) == config.model_dump(mode='json')
    keys = [line for line in shown.splitlines() if not line.strip().startswith('#')]
    unexplained = [line.strip() for line in keys if ' # ' not in line]
    assert unexplained == ['1-10: 0.7', '401+: 0.9', 'Trainer:', '/mnt/reviews: reviews', 'Pusher:']
    assert max(map(len, shown.splitlines())) <= 100
