"""The commands of `schedule`, on recurring runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubeflow.cluster import request
from tests.kubeflow.project import Project

pytestmark = pytest.mark.kubeflow


def recurring_runs(name: str) -> list[dict[str, Any]]:
    found = request('/apis/v2beta1/recurringruns?page_size=100').get('recurringRuns', [])
    return [run for run in found if run['display_name'] == name]


def schedule(project: Project, *words: str) -> list[dict[str, Any]]:
    finished = project.service_command('schedule', *words)
    assert finished.code == 0, finished.err
    return recurring_runs('nightly')


def create(project: Project, cron: str, name: str = 'nightly') -> list[dict[str, Any]]:
    finished = project.command('schedule create', '--cron', cron, '--schedule-name', name)
    assert finished.code == 0, finished.err
    return recurring_runs(name)


def test_schedule_is_replaced_paused_resumed_and_deleted(project: Project) -> None:
    (other,) = create(project, '0 4 * * *', 'other')
    (first,) = create(project, '0 3 * * *')
    assert first['trigger']['cron_schedule']['cron'] == '0 0 3 * * *'
    assert first['status'] == 'ENABLED'
    (second,) = create(project, '30 3 * * *')
    assert second['recurring_run_id'] != first['recurring_run_id']
    assert second['trigger']['cron_schedule']['cron'] == '0 30 3 * * *'
    (paused,) = schedule(project, 'pause', 'nightly')
    assert paused['status'] == 'DISABLED'
    (resumed,) = schedule(project, 'resume', 'nightly')
    assert resumed['status'] == 'ENABLED'
    assert schedule(project, 'delete', 'nightly') == []
    assert recurring_runs('other') == [other]
    schedule(project, 'delete', 'other')


def test_list_and_show_tell_the_schedules(project: Project) -> None:
    create(project, '0 5 * * *', 'shown')
    listed = project.service_command('schedule', 'list', '--json')
    assert {'shown': '0 0 5 * * *'}.items() <= {
        one['name']: one['cron'] for one in listed.json
    }.items()
    shown = project.service_command('schedule', 'show', 'shown')
    assert shown.code == 0, shown.err
    assert '0 0 5 * * *' in shown.out
    schedule(project, 'delete', 'shown')


def test_error_has_the_message_of_the_service_when_the_cron_expression_is_wrong(
    project: Project,
) -> None:
    finished = project.command('schedule create', '--cron', 'every night')
    assert finished.code == 7
    assert 'refused the request: 400' in finished.err
