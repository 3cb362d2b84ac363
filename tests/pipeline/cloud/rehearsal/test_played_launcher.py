"""What the played launcher gives to a container, and copies back from it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import stat
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components.common.errors import ComponentError
from pipeline.cloud.rehearsal import played_driver
from pipeline.cloud.rehearsal.compiled_steps import read_steps
from pipeline.cloud.rehearsal.played_cache import StepOutputs
from pipeline.cloud.rehearsal.played_launcher import PlayedLauncher, StepFiles
from pipeline.cloud.rehearsal.played_object_store import PlayedObjectStore, local_path
from pipeline.cloud.rehearsal.played_services import make_played_service
from pipeline.cloud.rehearsal.step_engines import Mount
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import toys


@dataclasses.dataclass
class FakeContainers:
    """Records what a container would get, and writes what the step would, through the mounts."""

    needs_open_folders = True
    container: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mounts: dict[str, Mount] = dataclasses.field(default_factory=dict)
    writable: set[str] = dataclasses.field(default_factory=set)

    def prepare(self, images: Sequence[str]) -> None:
        pass

    def path_of(self, mount: Mount) -> str:
        return mount.target

    def run(
        self,
        container: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        log: pathlib.Path,
    ) -> int:
        self.container, self.environment = container, environment
        self.mounts = {mount.target: mount for mount in mounts}
        self.writable = {
            target
            for target, mount in self.mounts.items()
            if stat.S_IMODE(mount.source.stat().st_mode) == 0o777
        }
        given = json.loads(container['args'][0])
        made = given['outputs']['artifacts']['data']['artifacts'][0]['uri']
        if made.startswith('minio://'):
            path = self.mounts['/minio'].source / made.removeprefix('minio://')
            assert path.parent.is_dir()
            path.mkdir()
            (path / 'data.txt').write_text('words')
        report = self.mounts['/tmp/kfp_outputs'].source / 'output_metadata.json'
        report.write_text('{"artifacts": {}}')
        log.touch()
        return 0


def launch(
    target: Target, tmp_path: pathlib.Path
) -> tuple[FakeContainers, StepOutputs, PlayedLauncher]:
    engine = FakeContainers()
    service = make_played_service(toys.compiled(target))
    launcher = PlayedLauncher(
        engine=engine,
        service=service,
        objects=PlayedObjectStore(tmp_path / 'objects'),
        mounts=(Mount(source=tmp_path, target='/data', read_only=True),),
    )
    step = read_steps(toys.compiled(target))[0]
    outputs = played_driver.provision_outputs(step, service, run='r')
    given = played_driver.make_executor_input({}, {'kind': 'small'}, outputs, service)
    files = StepFiles(folder=tmp_path / 'step', log=tmp_path / 'step.log')
    return engine, launcher.run(step, given, outputs, files), launcher


@pytest.mark.parametrize('target', TARGETS)
def test_container_reports_where_the_service_looks(target: Target, tmp_path: pathlib.Path) -> None:
    engine, outputs, _ = launch(target, tmp_path)
    given = json.loads(engine.container['args'][0])
    assert given['outputs']['outputFile'] == '/tmp/kfp_outputs/output_metadata.json'
    assert given['inputs']['parameterValues'] == {'kind': 'small'}
    assert engine.mounts['/data'].read_only
    assert '/tmp/kfp_outputs' in engine.writable
    assert list(outputs.artifacts) == ['data']


def test_container_finds_object_stores_at_its_root_when_the_service_is_kubeflow(
    tmp_path: pathlib.Path,
) -> None:
    engine, outputs, launcher = launch('kubeflow', tmp_path)
    assert {'/minio', '/s3'} <= engine.writable
    assert engine.environment == {}
    uri = outputs.artifacts['data'].uri
    assert uri.startswith('minio://bucket/root/toy/r/First/')
    assert (launcher.objects.path(uri) / 'data.txt').read_text() == 'words'
    assert not (tmp_path / 'step' / 'mounts').exists()


def test_container_has_no_object_stores_when_the_service_is_vertex(tmp_path: pathlib.Path) -> None:
    engine, _, _ = launch('vertex', tmp_path)
    assert set(engine.mounts) == {'/data', '/tmp/kfp_outputs'}


def test_object_store_keeps_a_copy_of_folders_and_files(tmp_path: pathlib.Path) -> None:
    store, uri = PlayedObjectStore(tmp_path / 'objects'), 'minio://bucket/root'
    written = tmp_path / 'one' / local_path(uri) / 'Split-train' / 'part'
    written.parent.mkdir(parents=True)
    written.write_bytes(b'\0\1')
    store.upload(uri, tmp_path / 'one')
    store.upload('minio://bucket/nothing', tmp_path / 'one')
    written.write_bytes(b'changed')
    store.download(uri, tmp_path / 'two')
    store.download(f'{uri}/Split-train/part', tmp_path / 'three')
    for folder in ('two', 'three'):
        found = tmp_path / folder / local_path(uri) / 'Split-train' / 'part'
        assert found.read_bytes() == b'\0\1'
    assert not store.path('minio://bucket/nothing').exists()


@pytest.mark.parametrize('uri', ['/minio/bucket/data', 'http://bucket/data', 'data'])
def test_uri_is_refused_when_no_object_store_is_mounted_for_it(uri: str) -> None:
    with pytest.raises(ComponentError, match='failed to generate local path for URI'):
        local_path(uri)
