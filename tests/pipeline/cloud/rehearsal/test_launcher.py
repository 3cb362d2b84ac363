"""What the emulated launcher gives to a container, and copies back from it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import stat
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components.common.errors import StepFailedError
from pipeline.cloud.rehearsal.engines import Mount
from pipeline.cloud.rehearsal.step_runner import StepRunner
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.cloud.targets import Target
from tests.pipeline.cloud.rehearsal import small_pipelines


@dataclasses.dataclass
class FakeContainers:
    """Records what each container would get, and writes its outputs through the mounts.

    Attributes:
        writes: Whether the containers write their outputs.
        inputs: The `ExecutorInput` of each container.
        mounts: Mounts of the last container, by their path in the container.
    """

    in_container = True
    writes: bool = True
    inputs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    mounts: dict[str, Mount] = dataclasses.field(default_factory=dict)

    def run(
        self, container: Mapping[str, Any], *, mounts: Sequence[Mount], log: pathlib.Path
    ) -> int:
        assert container['env'] == []
        given = json.loads(container['args'][0])
        self.inputs.append(given)
        self.mounts = {mount.target: mount for mount in mounts}
        for mount in mounts:
            assert mount.read_only or stat.S_IMODE(mount.source.stat().st_mode) == 0o777
        for found in given['inputs']['artifacts'].values():
            assert (self.path(found) / 'part' / 'data.txt').read_text() == 'words'
        for found in given['outputs']['artifacts'].values() if self.writes else ():
            (self.path(found) / 'part').mkdir(parents=True)
            (self.path(found) / 'part' / 'data.txt').write_text('words')
        report = self.mounts['/tmp/kfp_outputs'].source / 'output_metadata.json'
        report.write_text('{"artifacts": {}}')
        return 0

    def path(self, found: dict[str, Any]) -> pathlib.Path:
        """Return where the files of an artifact are for this container."""
        scheme, colon, path = found['artifacts'][0]['uri'].partition('://')
        return self.mounts[f'/{scheme}'].source / path if colon else pathlib.Path(scheme)


def make_runner(engine: Any, workspace: Workspace) -> StepRunner:
    return StepRunner(
        pipeline=small_pipelines.compiled(workspace.target, root=workspace.bucket),
        values={'size': 5},
        engine=engine,
        workspace=workspace,
        run_id=workspace.start_run(),
        mounts=(Mount(source=workspace.root.parent, target='/data', read_only=True),),
    )


@pytest.mark.parametrize(('target', 'stores'), [('vertex', set()), ('kubeflow', {'/minio', '/s3'})])
def test_container_finds_its_inputs_and_reports_where_the_service_looks(
    target: Target, stores: set[str], tmp_path: pathlib.Path
) -> None:
    engine = FakeContainers()
    workspace = Workspace(root=tmp_path / 'root', target=target)
    runner = make_runner(engine, workspace)
    runner.run(small_pipelines.RecordedProgress())
    first, second = engine.inputs
    assert first['inputs']['parameterValues'] == {'kind': 'small'}
    assert second['inputs']['parameterValues'] == {'size': 5}
    assert second['outputs']['outputFile'] == '/tmp/kfp_outputs/output_metadata.json'
    assert set(engine.mounts) == {'/data', '/tmp/kfp_outputs', *stores}
    uri = runner.outputs['Second'].artifacts['model'].uri
    assert uri.startswith('minio://bucket/root/small/' if stores else str(workspace.bucket))
    assert (workspace.find(uri) / 'part' / 'data.txt').read_text() == 'words'
    assert not list(workspace.folder.glob('steps/*/*/mounts'))


def test_step_fails_on_kubeflow_when_it_writes_nothing_to_an_output(tmp_path: pathlib.Path) -> None:
    workspace = Workspace(root=tmp_path / 'root', target='kubeflow')
    runner = make_runner(FakeContainers(writes=False), workspace)
    with pytest.raises(StepFailedError, match=r"First failed: its output 'data' is missing at /m"):
        runner.run(small_pipelines.RecordedProgress())
