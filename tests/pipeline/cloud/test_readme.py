"""The settings and commands of the README are valid."""

from __future__ import annotations

import pathlib
import re

import pytest

pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')

from pipeline.cloud.compile import compile_for_service
from pipeline.cloud.targets import Target
from pipeline.settings.config import load_config
from pipeline.settings.presets import DEFAULT_PRESET
from tests.conftest import REPO

README = (REPO / 'README.md').read_text(encoding='utf-8')
HEADINGS: dict[Target, str] = {'kubeflow': 'Kubeflow Pipelines', 'vertex': 'Vertex AI'}
# What a reader puts in place of the words in capitals.
BUCKET = 'films'


def section(target: Target) -> str:
    return README.partition(f'\n## {HEADINGS[target]}\n')[2].partition('\n## ')[0]


@pytest.mark.parametrize('target', HEADINGS)
def test_the_settings_compile(target: Target, tmp_path: pathlib.Path) -> None:
    (settings,) = re.findall(r'```yaml\n(.*?)```', section(target), re.DOTALL)
    file = tmp_path / f'{target}.yaml'
    file.write_text(settings.replace('BUCKET', BUCKET), encoding='utf-8')
    config = load_config(preset=DEFAULT_PRESET, file=file)
    compiled = compile_for_service(config, target)
    assert compiled.pipeline_root == config.cloud.pipeline_root
    assert f'make image IMAGE={config.cloud.image}\n' in section(target)


@pytest.mark.parametrize('target', HEADINGS)
def test_the_commands_are_for_the_service_of_their_section(target: Target) -> None:
    (commands,) = re.findall(r'```sh\n(.*?)```', section(target), re.DOTALL)
    runs = re.findall(r'pipeline_runner\.py (\w+) --target (\w+)', commands)
    assert runs == [(command, target) for command in ('rehearse', 'submit', 'schedule', 'schedule')]
