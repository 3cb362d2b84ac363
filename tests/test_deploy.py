"""The files in deploy/: their commands, names and options exist."""

from __future__ import annotations

import pathlib
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pipeline.settings.config import load_config
from tests.conftest import REPO
from tests.engine import jars
from tests.test_docs import blocks

FLINK = REPO / 'deploy' / 'flink'


def objects(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the Kubernetes objects of a file by kind and name."""
    documents = yaml.safe_load_all((FLINK / name).read_text(encoding='utf-8'))
    return {(each['kind'], each['metadata']['name']): each for each in documents}


def containers(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the containers in an object."""
    if isinstance(value, dict):
        yield from value.get('containers', [])
        for each in value.values():
            yield from containers(each)


CLUSTER, RUN = objects('cluster.yaml'), objects('run.yaml')
CONTAINERS = {each['name']: each for file in (CLUSTER, RUN) for each in containers(file)}


def test_run_uses_the_cluster_when_its_settings_are_loaded(tmp_path: pathlib.Path) -> None:
    settings = RUN['ConfigMap', 'reviews-settings']['data']['settings.yaml']
    (tmp_path / 'settings.yaml').write_text(settings)
    beam = load_config(file=tmp_path / 'settings.yaml', data='data').beam
    options = dict(arg.removeprefix('--').split('=', 1) for arg in beam.args)
    (port,) = CLUSTER['Service', 'reviews-jobs']['spec']['ports']
    assert options['job_endpoint'] == f'reviews-jobs:{port["port"]}'
    assert f'--job-port={port["port"]}' in CONTAINERS['job-server']['command']
    assert options['environment_config'] == f'localhost:{CONTAINERS["workers"]["command"][-1]}'
    spec = CLUSTER['FlinkDeployment', 'reviews']['spec']
    slots = int(spec['flinkConfiguration']['taskmanager.numberOfTaskSlots'])
    assert int(options['parallelism']) == slots * spec['taskManager']['replicas']


def test_commands_of_the_image_exist() -> None:
    image = (REPO / 'Dockerfile').read_text(encoding='utf-8')
    python, flag, module, *_ = CONTAINERS['workers']['command']
    assert (python, flag) == ('python', '-m')
    assert (REPO / module.replace('.', '/') / '__main__.py').is_file()
    folder, _, runner = CONTAINERS['run']['command'][1].rpartition('/')
    assert f'COPY {runner} {folder}/\nCOPY components {folder}/components\n' in image


def test_image_of_flink_has_the_jars_that_the_commands_use() -> None:
    text = (FLINK / 'Dockerfile').read_text(encoding='utf-8')
    for source in re.findall(r'^COPY (tests/\S+)', text, re.MULTILINE):
        assert (REPO / source).is_file()
    command = CONTAINERS['job-server']['command']
    folder = command[command.index('-cp') + 1].removesuffix('/*')
    assert f'-DoutputDirectory=/jars{folder.removeprefix("/opt")} ' in text


def test_flink_knows_the_options_of_the_cluster_and_of_the_page() -> None:
    folder = jars.folder_of('flink')
    if not folder.is_dir():
        pytest.skip('needs the jars of Flink: run make engine')
    classes = [
        archive.read(name)
        for archive in map(zipfile.ZipFile, folder.glob('flink-*.jar'))
        for name in archive.namelist()
        if re.fullmatch(r'org/apache/flink/configuration/\w+Options\.class', name)
    ]
    (page, *_) = blocks('docs/engine.md', 'yaml')
    options = {
        **yaml.safe_load(page),
        **CLUSTER['FlinkDeployment', 'reviews']['spec']['flinkConfiguration'],
    }
    assert [key for key in options if not any(key.encode() in each for each in classes)] == []
