"""The compiled Kubeflow pipeline under kfp's own local runner, each step in its container.

The runs share a root and a serving folder, as runs on a cluster do, and build
on each other: the model that is pushed first is the baseline of what follows.
"""

from __future__ import annotations

import pathlib

import pytest
import yaml

from tests.conftest import snapshot
from tests.containers.conftest import Finished, Kubeflow
from tests.containers.engine import IMAGE

pytestmark = pytest.mark.containers

_CONTAINER_USER = 1000


@pytest.fixture(scope='module')
def pushed(kubeflow: Kubeflow) -> Finished:
    """Run it for the first time."""
    run = kubeflow.run()
    assert run.code == 0, run.log
    return run


def files_of(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_first_run_is_blessed_and_pushed(kubeflow: Kubeflow, pushed: Finished) -> None:
    assert files_of(kubeflow.output(pushed, 'Evaluator', 'blessing')) == {'BLESSED'}
    (version,) = kubeflow.serving_dir.glob('[0-9]*')
    assert version.name.isdecimal()
    assert (version / 'saved_model.pb').is_file()


def test_each_step_is_a_container_of_the_image_and_not_root(
    kubeflow: Kubeflow, pushed: Finished
) -> None:
    tasks = yaml.safe_load(kubeflow.spec.read_text())['root']['dag']['tasks']
    assert len(pushed.containers) == len(tasks)
    assert len({container['id'] for container in pushed.containers}) == len(tasks)
    for container in pushed.containers:
        assert (container['image'], container['user']) == (IMAGE, str(_CONTAINER_USER))
        assert container['exit_code'] == 0
    # Wherever ids in a container are ids outside, too.
    if kubeflow.engine.shares_user_ids:
        written = [*pushed.folder.rglob('*'), *kubeflow.serving_dir.rglob('*')]
        assert {path.stat().st_uid for path in written if path.is_file()} == {_CONTAINER_USER}


def test_what_is_served_stays_when_the_gate_holds_a_model_back(
    kubeflow: Kubeflow, pushed: Finished
) -> None:
    before = snapshot(kubeflow.serving_dir)
    # Another model, since the one that is served is no baseline of itself.
    run = kubeflow.run(min_accuracy=0.99, svm_cost=0.5)
    assert run.code == 0, run.log
    baseline = kubeflow.output(run, 'ServedBaseline', 'model')
    assert (baseline / 'Format-Serving' / 'saved_model.pb').is_file()
    assert files_of(kubeflow.output(run, 'Evaluator', 'blessing')) == {'NOT_BLESSED'}
    assert snapshot(kubeflow.serving_dir) == before


def test_a_step_that_fails_is_reported_and_ends_the_run(
    kubeflow: Kubeflow, pushed: Finished
) -> None:
    before = snapshot(kubeflow.serving_dir)
    run = kubeflow.run(data_folder=str(kubeflow.root / 'nowhere'))
    assert run.code == 1, run.log
    *others, last = run.containers
    assert last['exit_code'] != 0
    assert {container['exit_code'] for container in others} <= {0}
    assert 'FAILURE' in run.log
    assert len(run.containers) < len(pushed.containers)
    assert snapshot(kubeflow.serving_dir) == before
