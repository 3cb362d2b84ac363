"""A fake of the v2beta1 API of Kubeflow Pipelines, with some refusals of its backend."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import yaml

from tests.played import Refused, Request

API = '/apis/v2beta1'
# Where the API of Kubernetes serves that of Kubeflow Pipelines.
KUBERNETES_PROXY = '/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy'
_PAGE = 2


class FakeKubeflow:
    """Stores experiments, pipelines, runs and recurring runs.

    Attributes:
        versions: Registered versions, each with its specification.
        may_register: Whether the user may create pipelines.
        states: States of each run, one per request.
        properties: What the Pusher of a successful run writes; None if it writes nothing.
        failed_task: The task that fails in a run that ends as FAILED.
        version: 2 or 3. Version 3 is that of the branch of 3.0
            (backend/api/v2beta1/run.proto): no `task_details`, and tasks with their outputs if
            the request has `view=FULL`.
    """

    def __init__(self) -> None:
        self.experiments: dict[str, dict[str, Any]] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.may_register = True
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.states: Sequence[str] = ('PENDING', 'RUNNING', 'SUCCEEDED')
        self.properties: dict[str, Any] | None = {'pushed': 1}
        self.failed_task = 'Trainer'
        self.version = 2
        self._looks: dict[str, int] = {}
        self._terminated: set[str] = set()
        self._made = 0

    def answer(self, request: Request) -> Any:
        """Dispatch a request."""
        whole = request.path.removeprefix(KUBERNETES_PROXY)
        path = whole.removeprefix(API)
        if path == whole:
            raise Refused(404, 'Not Found')
        collection, _, rest = path.strip('/').partition('/')
        item, _, action = rest.partition(':')
        handler = getattr(self, f'_{request.method.lower()}_{collection}', None)
        if handler is None:
            raise Refused(404, 'Not Found')
        return handler(request, item, action)

    def error(self, refused: Refused) -> Any:
        """Return an error as the backend's gateway writes it."""
        return {'error': str(refused), 'code': 3, 'message': str(refused), 'details': []}

    def _get_experiments(self, request: Request, item: str, _: str) -> Any:
        wanted = json.loads(request.query['filter'])['predicates'][0]['stringValue']
        found = [e for e in self.experiments.values() if e['display_name'] == wanted]
        return {'experiments': found} if found else {}

    def _post_experiments(self, request: Request, item: str, _: str) -> Any:
        created = {**request.body, 'experiment_id': f'experiment-{len(self.experiments) + 1}'}
        self.experiments[created['experiment_id']] = created
        return created

    def _get_pipelines(self, request: Request, item: str, _: str) -> Any:
        first, _, second = item.partition('/')
        if first == 'names':
            wanted = (second, request.query.get('namespace', ''))
            for pipeline in self.pipelines.values():
                if (pipeline['display_name'], pipeline['namespace']) == wanted:
                    return pipeline
            raise Refused(404, f'Namespace/Pipeline {second} not found')
        name = json.loads(request.query['filter'])['predicates'][0]['stringValue']
        wanted = (first, name)
        found = [
            version
            for version in self.versions.values()
            if (version['pipeline_id'], version['display_name']) == wanted
        ]
        return {'pipeline_versions': found} if found else {}

    def _post_pipelines(self, request: Request, item: str, _: str) -> Any:
        if item == 'upload_version':
            return self._upload_version(request)
        if not self.may_register:
            raise Refused(403, 'Failed to create a pipeline due to authorization error')
        name, namespace = request.body['display_name'], request.body.get('namespace', '')
        for pipeline in self.pipelines.values():
            if (pipeline['display_name'], pipeline['namespace']) == (name, namespace):
                raise Refused(409, f'The name {name} already exist')
        pipeline_id = f'pipeline-{len(self.pipelines) + 1}'
        self.pipelines[pipeline_id] = {**request.body, 'pipeline_id': pipeline_id}
        return self.pipelines[pipeline_id]

    def _upload_version(self, request: Request) -> Any:
        name, pipeline_id = request.query['name'], request.query['pipelineid']
        self._one(self.pipelines, pipeline_id)
        for version in self.versions.values():
            if (version['pipeline_id'], version['display_name']) == (pipeline_id, name):
                raise Refused(409, 'Failed to create a pipeline version')
        # The first line of the form separates its parts; the file is the only one.
        separator, _, part = request.body.partition(b'\r\n')
        content = part.partition(b'\r\n\r\n')[2].partition(b'\r\n' + separator)[0]
        spec, *platform = yaml.safe_load_all(content)
        version_id = f'version-{len(self.versions) + 1}'
        self.versions[version_id] = {
            'pipeline_id': pipeline_id,
            'pipeline_version_id': version_id,
            'display_name': name,
            'pipeline_spec': (
                {'pipeline_spec': spec, 'platform_spec': platform[0]} if platform else spec
            ),
        }
        return self.versions[version_id]

    def _post_runs(self, request: Request, item: str, action: str) -> Any:
        if action == 'terminate':
            run = self._one(self.runs, item)
            if run['state'] not in ('PENDING', 'RUNNING'):
                # backend/src/apiserver/storage/run_store.go, TerminateRun
                raise Refused(400, f'Failed to terminate a run {item}. Row not found')
            self._looks[item], run['state'] = -1, 'CANCELING'
            self._terminated.add(item)
            return {}
        self._check(request.body)
        tasks = self._spec(request.body).get('root', {}).get('dag', {}).get('tasks', {})
        if any(f'{name}-driver' in tasks for name in tasks):
            # As of version 2.17.0; for a recurring run, the backend does not check it.
            raise Refused(
                500,
                'InternalServerError: Failed to validate workflow for (): '
                'sorting failed: duplicated nodeName',
            )
        run_id = f'run-{len(self.runs) + 1}'
        self.runs[run_id] = {
            **request.body,
            'run_id': run_id,
            'state': 'PENDING',
            'state_history': [{'state': 'PENDING'}],
        }
        return self.runs[run_id]

    def _get_runs(self, request: Request, item: str, _: str) -> Any:
        run = self._one(self.runs, item)
        look = self._looks[item] = self._looks.get(item, -1) + 1
        # A cancelled workflow is failed at its end.
        states = ('CANCELING', 'FAILED') if item in self._terminated else self.states
        run['state'] = states[min(look, len(states) - 1)]
        if run['state'] != run['state_history'][-1]['state']:
            run['state_history'].append({'state': run['state']})
        if run['state'] == 'FAILED':
            run['error'] = {'code': 13, 'message': 'pod exited with 1'}
        tasks = list(self._spec(run)['root']['dag']['tasks'])
        if self.version == 3:
            if request.query.get('view') != 'FULL':
                return {**run, 'task_count': len(tasks)}
            return {**run, 'tasks': [self._task(run, name) for name in tasks]}
        details = [{'display_name': name, 'state': 'SUCCEEDED'} for name in ('root-driver', *tasks)]
        if run['state'] == 'SUCCEEDED' and self.properties is not None:
            self._push(run)
        if run['state'] == 'FAILED':
            details += [
                {'display_name': name, 'state': 'FAILED'}
                # Nodes of the Argo workflow: its name, the DAG, the task, and the pod of the task.
                for name in ('sentiment-x7k2p', 'root', self.failed_task, 'executor')
            ]
        return {**run, 'run_details': {'task_details': details}}

    def _task(self, run: dict[str, Any], name: str) -> dict[str, Any]:
        task: dict[str, Any] = {'name': name, 'display_name': name, 'state': 'SUCCEEDED'}
        if run['state'] == 'FAILED' and name == self.failed_task:
            return {**task, 'state': 'FAILED'}
        if run['state'] == 'SUCCEEDED' and name == 'Pusher' and self.properties is not None:
            # The launcher adds the schema to the metadata.
            metadata = {**self.properties, 'kfp_schema_title': 'tfx.PushedModel'}
            pushed = {'artifact_key': 'pushed_model', 'artifacts': [{'metadata': metadata}]}
            task['outputs'] = {'artifacts': [{'artifact_key': 'other'}, pushed]}
        return task

    def _push(self, run: dict[str, Any]) -> None:
        root = run['runtime_config']['pipeline_root']
        if '://' in root:
            # A bucket that this machine cannot read.
            return
        folder = pathlib.Path(root) / self._spec(run)['pipelineInfo']['name'] / run['run_id']
        folder = folder / 'Pusher' / 'b1946ac9' / 'pushed_model'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'properties.json').write_text(json.dumps(self.properties))

    def _post_recurringruns(self, request: Request, item: str, action: str) -> Any:
        if action in ('enable', 'disable'):
            mode = action.upper()
            self._one(self.recurring, item).update(mode=mode, status=f'{mode}D')
            return {}
        self._check(request.body)
        if len(request.body['trigger']['cron_schedule']['cron'].split()) != 6:
            raise Refused(400, 'The cron schedule needs six fields')
        if not 1 <= int(request.body['max_concurrency']) <= 10:
            raise Refused(400, 'The max concurrency must be within 1 to 10')
        self._made += 1
        recurring_id = f'recurring-{self._made}'
        self.recurring[recurring_id] = {
            **request.body,
            'recurring_run_id': recurring_id,
            'status': f'{request.body["mode"]}D',
        }
        return self.recurring[recurring_id]

    def _get_recurringruns(self, request: Request, item: str, _: str) -> Any:
        if item:
            return self._one(self.recurring, item)
        start = int(request.query.get('page_token') or 0)
        found = list(self.recurring.values())
        page: dict[str, Any] = {'recurringRuns': found[start : start + _PAGE]}
        if start + _PAGE < len(found):
            page['next_page_token'] = str(start + _PAGE)
        return page

    def _delete_recurringruns(self, request: Request, item: str, _: str) -> Any:
        self._one(self.recurring, item)
        del self.recurring[item]
        return {}

    def _one(self, things: dict[str, dict[str, Any]], item: str) -> dict[str, Any]:
        if item not in things:
            raise Refused(404, f'{item} not found')
        return things[item]

    def _spec(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the specification of a run, its own or that of its version."""
        reference = body.get('pipeline_version_reference')
        if reference:
            version = self._one(self.versions, reference['pipeline_version_id'])
            assert version['pipeline_id'] == reference['pipeline_id']
            body = version
        spec: dict[str, Any] = body['pipeline_spec']
        # With volumes (backend/src/apiserver/server/api_util.go, YamlStringToPipelineSpecStruct).
        return spec['pipeline_spec'] if set(spec) == {'pipeline_spec', 'platform_spec'} else spec

    def _check(self, body: dict[str, Any]) -> None:
        if body['experiment_id'] not in self.experiments:
            raise Refused(404, 'the experiment was not found')
        spec = self._spec(body)
        if 'pipelineSpec' in spec or spec.get('schemaVersion') != '2.1.0':
            raise Refused(400, 'unknown template format')
        declared = spec['root'].get('inputDefinitions', {}).get('parameters', {})
        given = body['runtime_config'].get('parameters', {})
        if set(given) != set(declared):
            raise Refused(400, f'expected parameters {sorted(declared)}, got {sorted(given)}')
