"""All that rehearsals write lies under one folder, apart by target."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.rehearsal.workspace import Workspace


def test_a_run_is_named_once(tmp_path: pathlib.Path) -> None:
    workspace = Workspace(root=tmp_path, target='vertex')
    assert len({workspace.new_run() for _ in range(3)}) == 3


def test_the_targets_share_nothing(tmp_path: pathlib.Path) -> None:
    one = Workspace(root=tmp_path, target='vertex')
    other = Workspace(root=tmp_path, target='kubeflow')
    assert one.folder != other.folder
    for workspace in (one, other):
        for path in (
            workspace.store,
            workspace.objects,
            workspace.artifacts,
            workspace.serving_dir('toy'),
            workspace.log('r', 'First'),
            workspace.step_folder('r', 'First'),
        ):
            assert path.is_relative_to(workspace.folder)


def test_the_root_of_artifacts_is_the_one_that_the_service_has(tmp_path: pathlib.Path) -> None:
    assert Workspace(root=tmp_path, target='kubeflow').pipeline_root.startswith('minio://')
    assert Workspace(root=tmp_path, target='vertex').pipeline_root == str(
        tmp_path / 'vertex' / 'artifacts'
    )


def test_a_root_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'vertex').write_text('a file')
    with pytest.raises(ConfigError, match='cannot write to the root'):
        Workspace(root=tmp_path, target='vertex').new_run()
