"""A fake of the REST API of Vertex AI for pipelines and schedules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.played import Refused, Request

PARENT = '/v1/projects/films/locations/europe-west4'
_STATUS = {400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED'}
_PAGE = 2


class FakeVertex:
    """Stores jobs and schedules of one project and region.

    Attributes:
        states: States of each job, one per request.
        properties: Properties of the Pusher's output in successful jobs.
        failed_task: The task that fails in a job that fails.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.schedules: dict[str, dict[str, Any]] = {}
        self.states: Sequence[str] = ('PENDING', 'RUNNING', 'SUCCEEDED')
        self.properties: dict[str, Any] = {'pushed': 1, 'pushed_version': '1795486776'}
        self.failed_task = 'Trainer'
        self._looks: dict[str, int] = {}
        self._cancelled: set[str] = set()
        self._made = 0

    def answer(self, request: Request) -> Any:
        """Dispatch a request."""
        if not request.path.startswith(f'{PARENT}/'):
            raise Refused(404, 'The project was not found')
        path = request.path.removeprefix(f'{PARENT}/')
        collection, _, rest = path.partition('/')
        item, _, action = rest.partition(':')
        method = f'_{request.method.lower()}_{collection.lower()}'
        handler = getattr(self, method, None)
        if handler is None:
            raise Refused(404, 'Not Found')
        return handler(request, item, action)

    def error(self, refused: Refused) -> Any:
        """Return an error as Google's APIs write it."""
        status = _STATUS.get(refused.status, 'NOT_FOUND' if refused.status == 404 else 'INTERNAL')
        return {'error': {'code': refused.status, 'message': str(refused), 'status': status}}

    def _post_pipelinejobs(self, request: Request, item: str, action: str) -> Any:
        if action == 'cancel':
            self._one(self.jobs, item)
            self._looks[item] = -1
            self._cancelled.add(item)
            return {}
        job_id = request.query['pipelineJobId']
        if not re.fullmatch(r'[a-z][-a-z0-9]{0,127}', job_id):
            raise Refused(400, 'invalid job id')
        self._check(request.body)
        self.jobs[job_id] = {**request.body, 'name': self._name('pipelineJobs', job_id)}
        return {**self.jobs[job_id], 'state': 'PIPELINE_STATE_PENDING'}

    def _get_pipelinejobs(self, request: Request, item: str, _: str) -> Any:
        job = self._one(self.jobs, item)
        look = self._looks[item] = self._looks.get(item, -1) + 1
        states = ('CANCELLING', 'CANCELLED') if item in self._cancelled else self.states
        state = states[min(look, len(states) - 1)]
        answer: dict[str, Any] = {**job, 'state': f'PIPELINE_STATE_{state}'}
        if state == 'SUCCEEDED':
            answer['jobDetail'] = {'taskDetails': self._tasks(job)}
        if state == 'FAILED':
            answer['error'] = {'code': 9, 'message': 'The DAG failed'}
            answer['jobDetail'] = {
                'taskDetails': [
                    {'taskName': name, 'state': 'FAILED'}
                    # The pipeline itself is a task, too.
                    for name in (job['pipelineSpec']['pipelineInfo']['name'], self.failed_task)
                ]
            }
        return answer

    def _tasks(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        tasks = []
        for number, name in enumerate(job['pipelineSpec']['root']['dag']['tasks']):
            task: dict[str, Any] = {'taskName': name, 'state': 'SUCCEEDED', 'taskId': str(number)}
            if name == 'Pusher':
                artifact_name = self._name('metadataStores/default/artifacts', '1')
                artifact = {'name': artifact_name, 'metadata': self.properties}
                task['outputs'] = {'pushed_model': {'artifacts': [artifact]}}
            tasks.append(task)
        return tasks

    def _post_schedules(self, request: Request, item: str, action: str) -> Any:
        if action == 'pause':
            self._one(self.schedules, item)['state'] = 'PAUSED'
            return {}
        if action == 'resume':
            schedule = self._one(self.schedules, item)
            schedule.update(state='ACTIVE', catchUp=bool((request.body or {}).get('catchUp')))
            return {}
        self._check_schedule(request.body)
        self._made += 1
        schedule_id = str(self._made)
        self.schedules[schedule_id] = {
            **request.body,
            'name': self._name('schedules', schedule_id),
            'state': 'ACTIVE',
            'createTime': f'2026-11-25T00:00:{self._made:02}Z',
        }
        return self.schedules[schedule_id]

    def _get_schedules(self, request: Request, item: str, _: str) -> Any:
        if item:
            return self._one(self.schedules, item)
        start = int(request.query.get('pageToken') or 0)
        found = list(self.schedules.values())
        page: dict[str, Any] = {'schedules': found[start : start + _PAGE]}
        if start + _PAGE < len(found):
            page['nextPageToken'] = str(start + _PAGE)
        return page

    def _patch_schedules(self, request: Request, item: str, _: str) -> Any:
        schedule = self._one(self.schedules, item)
        self._check_schedule({**schedule, **request.body})
        for path in request.query['updateMask'].split(','):
            # A field in the mask without a value gets its default.
            schedule.pop(path, None)
            if path in request.body:
                schedule[path] = request.body[path]
        return schedule

    def _delete_schedules(self, request: Request, item: str, _: str) -> Any:
        self._one(self.schedules, item)
        del self.schedules[item]
        return {
            'name': self._name('operations', item),
            'done': True,
            'response': {'@type': 'type.googleapis.com/google.protobuf.Empty'},
        }

    def _check_schedule(self, schedule: dict[str, Any]) -> None:
        cron = re.sub(r'^(CRON_)?TZ=\S+ ', '', schedule['cron'])
        if len(cron.split()) != 5:
            raise Refused(400, 'invalid cron')
        if int(schedule['maxConcurrentRunCount']) < 1:
            raise Refused(400, 'maxConcurrentRunCount is required')
        self._check(schedule['createPipelineJobRequest']['pipelineJob'])

    def _check(self, job: dict[str, Any]) -> None:
        if 'root' not in job['pipelineSpec']:
            raise Refused(400, 'the pipeline has no root')
        if not job['runtimeConfig']['gcsOutputDirectory'].startswith('gs://'):
            raise Refused(400, 'gcsOutputDirectory must be a bucket')

    def _name(self, collection: str, item: str) -> str:
        return f'{PARENT.removeprefix("/v1/")}/{collection}/{item}'

    def _one(self, things: dict[str, dict[str, Any]], item: str) -> dict[str, Any]:
        if item not in things:
            raise Refused(404, f'{item} was not found')
        return things[item]
