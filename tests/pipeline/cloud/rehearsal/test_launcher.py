"""What the launcher gives to a container, and takes back from it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import stat
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline.cloud.rehearsal import driver
from pipeline.cloud.rehearsal.engine import Mount
from pipeline.cloud.rehearsal.launcher import Launcher, Place
from pipeline.cloud.rehearsal.objects import ObjectStore
from pipeline.cloud.rehearsal.service import service_of
from pipeline.cloud.rehearsal.spec import Step, read_steps
from pipeline.cloud.rehearsal.store import MetadataStore, Produced
from pipeline.cloud.targets import TARGETS, Target
from tests.pipeline.cloud.rehearsal import toys


@dataclasses.dataclass
class FakeContainers:
    """Notes what a container would get, and writes what the step would, through the mounts."""

    needs_open_folders: bool = True
    container: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    mounts: dict[str, Mount] = dataclasses.field(default_factory=dict)
    open: set[str] = dataclasses.field(default_factory=set)

    def prepare(self, images: Sequence[str]) -> None:
        """Need nothing."""

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
        self.open = {
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


def _launch(target: Target, tmp_path: pathlib.Path) -> tuple[FakeContainers, Produced, Launcher]:
    engine = FakeContainers()
    service = service_of(toys.compiled(target))
    launcher = Launcher(
        engine=engine,
        service=service,
        objects=ObjectStore(tmp_path / 'objects'),
        mounts=(Mount(source=tmp_path, target='/data', read_only=True),),
    )
    step: Step = read_steps(toys.compiled(target))[0]
    store = MetadataStore(tmp_path / 'metadata.sqlite', 'toy')
    outputs = driver.provision(step, store, service, run='r', salt='s')
    given = driver.executor_input({}, {'kind': 'small'}, outputs, service)
    place = Place(folder=tmp_path / 'step', log=tmp_path / 'step.log')
    return engine, launcher.run(step, given, outputs, place), launcher


@pytest.mark.parametrize('target', TARGETS)
def test_a_container_reports_where_the_service_looks(
    target: Target, tmp_path: pathlib.Path
) -> None:
    engine, produced, _ = _launch(target, tmp_path)
    given = json.loads(engine.container['args'][0])
    assert given['outputs']['outputFile'] == '/tmp/kfp_outputs/output_metadata.json'
    assert given['inputs']['parameterValues'] == {'kind': 'small'}
    assert engine.mounts['/data'].read_only
    assert '/tmp/kfp_outputs' in engine.open
    assert list(produced.artifacts) == ['data']


def test_a_container_on_kubeflow_finds_its_stores_at_the_root(tmp_path: pathlib.Path) -> None:
    engine, produced, launcher = _launch('kubeflow', tmp_path)
    assert {'/minio', '/s3'} <= engine.open
    assert engine.environment == {}
    uri = produced.artifacts['data'].uri
    assert uri.startswith('minio://bucket/root/toy/r/First/')
    assert (launcher.objects.path(uri) / 'data.txt').read_text() == 'words'
    assert not (tmp_path / 'step' / 'mounts').exists()


def test_a_container_on_vertex_has_no_stores(tmp_path: pathlib.Path) -> None:
    engine, _, _ = _launch('vertex', tmp_path)
    assert set(engine.mounts) == {'/data', '/tmp/kfp_outputs'}
