"""Plays Argo's workflow controller: walks a Workflow, and writes its status.

It runs one task at a time, and knows what KFP's compiler writes for this project's pipeline:
parameters, `depends` and `when`. It stops at loops, retries and exit handlers. Names and ids
are those of Argo (`NodeID` and `GeneratePodName` in workflow/util of Argo Workflows).
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.kubeflow.pods import PodFailedError, Pods, UnplayedError

_STATE = re.compile(r'([\w-]+)\.(Succeeded|Skipped|Omitted|Failed|Errored)')
_UNPLAYED = ('withParam', 'withItems', 'withSequence', 'hooks', 'onExit', 'retryStrategy')
_FAILED = ('Failed', 'Error')
_TERMINATED = 'Max duration limit exceeded'


class WorkflowPlayer:
    """Runs one Workflow.

    Args:
        workflow: The Workflow; its status is changed in place.
        pods: Runs the containers.
        report: Called after each change of the status.
        terminates: Whether the Workflow is to end before its time.

    Attributes:
        seconds: How long the container of each node ran, by path such as `root/Trainer/executor`.
        pods: Metadata of the pod of each node that ran a step, and the driver's patch of it.
        log: Why nodes failed.
    """

    def __init__(
        self,
        workflow: dict[str, Any],
        pods: Pods,
        report: Callable[[], None],
        terminates: Callable[[], bool],
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.log = ''
        self._pods = pods
        self._report = report
        self._terminates = terminates
        self._name: str = workflow['metadata']['name']
        self._spec: Mapping[str, Any] = workflow['spec']
        self._templates = {one['name']: one for one in self._spec['templates']}
        parameters = self._spec.get('arguments', {}).get('parameters', [])
        self._scope = {
            'workflow.name': self._name,
            'workflow.creationTimestamp': workflow['metadata']['creationTimestamp'],
            **{f'workflow.parameters.{one["name"]}': one['value'] for one in parameters},
        }
        self._status = {'phase': 'Running', 'startedAt': now(), 'finishedAt': None, 'nodes': {}}
        workflow['status'] = self._status

    def play(self) -> None:
        """Run the Workflow to its end."""
        self._report()
        try:
            phase, _ = self._template(self._name, self._spec['entrypoint'], {})
            if phase in _FAILED and self._terminates():
                self._status['message'] = _TERMINATED
        except UnplayedError as err:
            phase, self._status['message'] = 'Error', f'not played: {err}'
            self.log += f'not played: {err}\n'
        self._status.update(phase=phase, finishedAt=now())
        self._report()

    def _template(
        self, node: str, name: str, arguments: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        """Run a template as a node; return its phase and its output parameters."""
        template = self._templates[name]
        if found := [key for key in _UNPLAYED if key in template]:
            raise UnplayedError(f'{found[0]} of {name}')
        local = {
            f'inputs.parameters.{one["name"]}': arguments.get(
                one['name'], one.get('default', one.get('value', ''))
            )
            for one in template.get('inputs', {}).get('parameters', [])
        }
        status = self._add(node, 'DAG' if 'dag' in template else 'Pod', name)
        outputs: dict[str, str] = {}
        if 'dag' in template:
            phase = self._dag(node, template, local)
        else:
            phase, outputs = self._container(node, template, local)
        status.update(phase=phase, finishedAt=now())
        self._report()
        return phase, outputs

    def _dag(self, node: str, template: Mapping[str, Any], local: Mapping[str, str]) -> str:
        """Run the tasks of a DAG; return its phase.

        After a failure, no further task is started, as `failFast` says, which is Argo's default.
        """
        tasks, states, known = list(template['dag']['tasks']), {}, dict(local)
        while tasks:
            ready = (one for one in tasks if _needs(one) <= states.keys())
            task = next(ready, None)
            if task is None:
                break
            tasks.remove(task)
            if found := [key for key in _UNPLAYED if key in task]:
                raise UnplayedError(f'{found[0]} of the task {task["name"]}')
            child = f'{node}.{task["name"]}'
            condition = task.get('when')
            if not _holds(task.get('depends', ''), states):
                states[task['name']] = self._end(child, 'Omitted')
            elif set(_FAILED) & set(states.values()):
                # It is not started, so its successors are never ready.
                continue
            elif condition and not _compare(self._fill(condition, known)):
                states[task['name']] = self._end(child, 'Skipped')
            else:
                arguments = {
                    one['name']: self._fill(one['value'], known)
                    for one in task.get('arguments', {}).get('parameters', [])
                    if 'value' in one
                }
                phase, outputs = self._template(child, task['template'], arguments)
                states[task['name']] = phase
                for key, value in outputs.items():
                    known[f'tasks.{task["name"]}.outputs.parameters.{key}'] = value
        return 'Failed' if set(_FAILED) & set(states.values()) else 'Succeeded'

    def _container(
        self, node: str, template: Mapping[str, Any], local: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        pod = f'{self._name}-{template["name"]}-{_digest(node)}'
        path = '/'.join(node.split('.')[1:])
        started = datetime.datetime.now()
        outputs: dict[str, str] = {}
        try:
            if 'podSpecPatch' in template:
                patch = self._fill(template['podSpecPatch'], local)
                metadata = self._fill(json.dumps(template.get('metadata', {})), local)
                self.pods[path] = {'metadata': json.loads(metadata), 'spec': json.loads(patch)}
                self._pods.run_launcher(pod, template, patch, self._terminates)
            else:
                paths = {
                    f'outputs.parameters.{one["name"]}.path': one['valueFrom']['path']
                    for one in template.get('outputs', {}).get('parameters', [])
                }
                scope = {**local, **paths}
                args = [self._fill(word, scope) for word in template['container'].get('args', [])]
                outputs = self._pods.run_driver(pod, template, args, self._terminates)
            phase = 'Succeeded'
        except PodFailedError as err:
            self.log += f'{err}\n'
            phase = 'Failed'
        self.seconds[path] = (datetime.datetime.now() - started).total_seconds()
        return phase, outputs

    def _add(self, node: str, kind: str, template: str) -> dict[str, Any]:
        identity = self._name if node == self._name else f'{self._name}-{_digest(node)}'
        parent = node.rpartition('.')[0]
        for other in self._status['nodes'].values():
            if other['name'] == parent:
                other.setdefault('children', []).append(identity)
        status = {
            'id': identity,
            'name': node,
            'displayName': node.rpartition('.')[2],
            'type': kind,
            'templateName': template,
            'phase': 'Running',
            'startedAt': now(),
            'finishedAt': None,
        }
        self._status['nodes'][identity] = status
        self._report()
        return status

    def _end(self, node: str, phase: str) -> str:
        """Add a node that was not started."""
        self._add(node, 'Skipped', '').update(phase=phase, finishedAt=now())
        self._report()
        return phase

    def _fill(self, text: str, local: Mapping[str, str]) -> str:
        known = {**self._scope, **local}
        return re.sub(
            r'\{\{([a-zA-Z][^{}]*)\}\}', lambda match: known.get(match[1].strip(), match[0]), text
        )


def _needs(task: Mapping[str, Any]) -> set[str]:
    return {name for name, _ in _STATE.findall(task.get('depends', ''))}


def _holds(depends: str, states: Mapping[str, str]) -> bool:
    """Return whether an expression such as `A.Succeeded && (B.Failed || !C.Skipped)` is true."""
    text = _STATE.sub(lambda match: str(states[match[1]] == match[2]), depends or 'True')
    if not re.fullmatch(r'(True|False|&&|\|\||!|[()\s])*', text):
        raise UnplayedError(f'the condition {depends!r}')
    text = text.replace('&&', ' and ').replace('||', ' or ').replace('!', ' not ')
    return bool(eval(text.strip()))


def _compare(text: str) -> bool:
    match = re.fullmatch(r'\s*(\S*)\s*(==|!=)\s*(\S*)\s*', text)
    if match is None:
        raise UnplayedError(f'the condition {text!r}')
    return (match[1] == match[3]) == (match[2] == '==')


def _digest(name: str) -> int:
    """Return FNV-1a of 32 bits."""
    digest = 0x811C9DC5
    for byte in name.encode():
        digest = (digest ^ byte) * 0x01000193 % (1 << 32)
    return digest


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return f'{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}'
