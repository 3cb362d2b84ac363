"""The compiled Kubeflow pipeline with KFP's own local runner, each step in a container.

The runs share a root and a serving folder, as on a cluster: the model that the
first run pushes is the baseline of the others.
"""

from __future__ import annotations

import pathlib

import pytest
import yaml

from tests.conftest import snapshot
from tests.containers.conftest import LocalKfp, LocalKfpRun
from tests.containers.engine import IMAGE

pytestmark = pytest.mark.containers

_CONTAINER_USER = 1000


@pytest.fixture(scope='module')
def pushed(local_kfp: LocalKfp) -> LocalKfpRun:
    """Run the pipeline for the first time."""
    run = local_kfp.run()
    assert run.code == 0, run.log
    return run


def files_of(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_first_run_is_blessed_and_pushed(local_kfp: LocalKfp, pushed: LocalKfpRun) -> None:
    assert files_of(local_kfp.output(pushed, 'Evaluator', 'blessing')) == {'BLESSED'}
    (version,) = local_kfp.serving_dir.glob('[0-9]*')
    assert version.name.isdecimal()
    assert (version / 'saved_model.pb').is_file()


def test_each_step_is_a_container_of_the_image_and_not_root(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    tasks = yaml.safe_load(local_kfp.spec.read_text())['root']['dag']['tasks']
    assert len(pushed.containers) == len(tasks)
    assert len({container['id'] for container in pushed.containers}) == len(tasks)
    for container in pushed.containers:
        assert (container['image'], container['user']) == (IMAGE, str(_CONTAINER_USER))
        assert container['exit_code'] == 0
    if local_kfp.engine.shares_user_ids:
        written = [*pushed.folder.rglob('*'), *local_kfp.serving_dir.rglob('*')]
        assert {path.stat().st_uid for path in written if path.is_file()} == {_CONTAINER_USER}


def test_served_version_stays_when_a_candidate_is_not_blessed(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    before = snapshot(local_kfp.serving_dir)
    # Another model, because a served model is not its own baseline.
    run = local_kfp.run(min_accuracy=0.99, svm_cost=0.5)
    assert run.code == 0, run.log
    baseline = local_kfp.output(run, 'ServedBaseline', 'model')
    assert (baseline / 'Format-Serving' / 'saved_model.pb').is_file()
    assert files_of(local_kfp.output(run, 'Evaluator', 'blessing')) == {'NOT_BLESSED'}
    assert snapshot(local_kfp.serving_dir) == before


def test_failing_step_is_reported_and_ends_the_run(
    local_kfp: LocalKfp, pushed: LocalKfpRun
) -> None:
    before = snapshot(local_kfp.serving_dir)
    run = local_kfp.run(data_folder=str(local_kfp.root / 'nowhere'))
    assert run.code == 1, run.log
    *others, last = run.containers
    assert last['exit_code'] != 0
    assert {container['exit_code'] for container in others} <= {0}
    assert 'FAILURE' in run.log
    assert len(run.containers) < len(pushed.containers)
    assert snapshot(local_kfp.serving_dir) == before
