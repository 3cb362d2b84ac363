"""Whole runs: what the tasks did, what was pushed, and how `submit --wait` ends."""

from __future__ import annotations

import pytest

from tests.conftest import NODES
from tests.kubeflow.cluster import request
from tests.kubeflow.metadata import read_outputs, read_tasks
from tests.kubeflow.project import Submitted

pytestmark = pytest.mark.kubeflow

RESOLVER = 'ExampleGenResolver'
# They depend on the data and on the served model, which are no artifacts.
NEVER_CACHED = {RESOLVER, 'ServedBaseline', 'Pusher'}


def test_first_run_executes_all_tasks_and_pushes(pushed: Submitted) -> None:
    assert pushed.run.phase == 'Succeeded', pushed.run.log
    assert pushed.run.named('executed') == {RESOLVER, *NODES}
    assert pushed.finished.code == 0
    assert 'blessed and pushed' in pushed.finished.err
    (version,) = pushed.versions
    assert f'{version}/saved_model.pb' in pushed.served


def test_api_has_the_state_of_each_task_when_the_run_has_ended(pushed: Submitted) -> None:
    found = request(f'/apis/v2beta1/runs/{pushed.run.id}')
    assert found['state'] == 'SUCCEEDED'
    if read_tasks(pushed.run.id) is None:
        # The entries of the cache have neither.
        details = found['run_details']['task_details']
        states = {one.get('display_name'): one.get('state') for one in details}
    else:
        states = {one.get('name'): one['state'] for one in read_tasks(pushed.run.id)}
    assert {task: states[task] for task in (RESOLVER, *NODES)} == dict.fromkeys(
        (RESOLVER, *NODES), 'SUCCEEDED'
    )


def test_cache_serves_six_tasks_when_nothing_has_changed(repeated: Submitted) -> None:
    assert repeated.run.phase == 'Succeeded', repeated.run.log
    # The baseline is new, so the Evaluator runs.
    assert repeated.run.named('executed') == {*NEVER_CACHED, 'Evaluator'}
    assert len(repeated.run.named('cached')) == 6
    assert repeated.finished.code == 0
    assert repeated.served == repeated.served_before


def test_nothing_is_pushed_when_the_gate_says_no(refused: Submitted) -> None:
    assert refused.run.phase == 'Succeeded', refused.run.log
    assert refused.run.named('executed') == {*NEVER_CACHED, 'Trainer', 'Evaluator'}
    assert refused.finished.code == 3
    assert 'not blessed: the run pushed nothing' in refused.finished.err
    assert refused.served == refused.served_before
    outputs = read_outputs(refused.run.id)
    assert outputs['Evaluator']['blessing']['blessed'] == 0
    assert outputs['Pusher']['pushed_model']['pushed'] == 0


def test_node_and_all_after_it_are_executed_again(trained_again: Submitted) -> None:
    assert trained_again.run.phase == 'Succeeded', trained_again.run.log
    assert trained_again.run.named('executed') == {*NEVER_CACHED, 'Trainer', 'Evaluator'}
    assert len(trained_again.run.named('cached')) == 5
    assert trained_again.finished.code == 0
    assert len(trained_again.versions) == 2


def test_withdrawn_model_is_not_pushed_again(
    trained_again: Submitted, withdrawn: Submitted
) -> None:
    assert withdrawn.run.phase == 'Succeeded', withdrawn.run.log
    assert withdrawn.finished.code == 0
    assert 'a rollback withdrew this model' in withdrawn.finished.err
    assert withdrawn.served == withdrawn.served_before
    properties = read_outputs(withdrawn.run.id)['Pusher']['pushed_model']
    assert properties['pushed'] == 0
    assert properties['withdrawn_version'] == trained_again.versions[-1]


def test_all_tasks_are_executed_without_cache(in_minio: Submitted) -> None:
    assert in_minio.run.phase == 'Succeeded', in_minio.run.log
    assert in_minio.run.named('executed') == {RESOLVER, *NODES}
    assert read_outputs(in_minio.run.id)['Pusher']['pushed_model']['pushed'] == 1


def test_result_in_minio_is_unknown_before_3_0(in_minio: Submitted) -> None:
    if read_tasks(in_minio.run.id) is None:
        assert in_minio.finished.code == 8
        assert 'the run succeeded, but its result is unknown' in in_minio.finished.err
    else:
        assert in_minio.finished.code == 0
        assert 'blessed and pushed' in in_minio.finished.err


def test_submit_names_the_node_when_a_step_fails(failed: Submitted) -> None:
    assert failed.finished.code == 5
    assert 'ExampleGen failed' in failed.finished.err
    assert failed.run.tasks == {RESOLVER: 'executed', 'ExampleGen': 'failed'}
    assert '/mnt/reviews/nowhere' in failed.run.log
    assert request(f'/apis/v2beta1/runs/{failed.run.id}')['state'] == 'FAILED'
    assert failed.served == failed.served_before


def test_user_interface_has_the_specification_of_each_run(
    repeated: Submitted, refused: Submitted, trained_again: Submitted
) -> None:
    runs = [request(f'/apis/v2beta1/runs/{one.run.id}') for one in (repeated, refused)]
    reference, other = (run['pipeline_version_reference'] for run in runs)
    # Run-time parameters are no part of the specification.
    assert reference == other
    pipeline = request(f'/apis/v2beta1/pipelines/{reference["pipeline_id"]}')
    assert pipeline['display_name'] == 'sentiment'
    version = request(
        f'/apis/v2beta1/pipelines/{reference["pipeline_id"]}/versions/'
        f'{reference["pipeline_version_id"]}'
    )
    tasks = version['pipeline_spec']['pipeline_spec']['root']['dag']['tasks']
    assert tasks.keys() == {RESOLVER, *NODES}
    again = request(f'/apis/v2beta1/runs/{trained_again.run.id}')
    assert again['pipeline_version_reference'] != reference
    assert again['display_name'] == 'trained again'
    experiment = request(f'/apis/v2beta1/experiments/{again["experiment_id"]}')
    assert experiment['display_name'] == 'tests'
