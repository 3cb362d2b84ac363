"""The cluster of the tests: the API of Kubeflow Pipelines and the services that it needs.

Argo's controller and KFP's persistence agent are played: a thread runs each new Workflow, writes
its status, and reports it to the API as the agent does (backend/src/agent/persistence).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from tests.kubeflow import argo, cloud_storage, kubernetes
from tests.kubeflow.argo import WorkflowPlayer
from tests.kubeflow.build import say
from tests.kubeflow.pods import Pods

API = 'http://127.0.0.1:8888'
MLMD_PORT = 8080
_S3_PORT = kubernetes.S3_ADDRESS[1]
_RUN_LABEL = 'pipeline/runid'
_START_SECONDS = 120
_RUN_SECONDS = 1200
_POLL_SECONDS = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayedRun:
    """A run that has ended.

    Attributes:
        id: Its id in the API.
        phase: Phase of its Workflow.
        tasks: State of each task that was started: `executed`, `cached` or `failed`.
        log: The ends of the logs of failed containers.
        pods: Metadata of the pod of each task that was executed, and the driver's patch of it.
    """

    id: str
    phase: str
    tasks: dict[str, str]
    log: str
    pods: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def named(self, state: str) -> set[str]:
        """Return the tasks with a state."""
        return {task for task, found in self.tasks.items() if found == state}


class Cluster:
    """Runs what the API of Kubeflow Pipelines starts; `start_cluster` makes one."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._ended: dict[str, PlayedRun] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._idle = threading.Lock()
        self._left_out: set[str] = set()
        self._controller = threading.Thread(target=self._control, daemon=True)
        self._controller.start()

    def stop(self) -> None:
        """End the run that is being played, and play no other."""
        self._stopping.set()
        self._controller.join()

    def wait_for(self, run_id: str) -> PlayedRun:
        """Wait for the end of a run."""
        with self._changed:
            self._changed.wait_for(lambda: run_id in self._ended, timeout=_RUN_SECONDS)
            return self._ended[run_id]

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Run nothing that the API starts meanwhile, also later."""
        with self._idle:
            yield
            self._left_out |= request('/cluster/workflows').keys()

    def _control(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            with self._idle:
                self._play_new()

    def _play_new(self) -> None:
        for name, workflow in request('/cluster/workflows').items():
            if name not in self._left_out and not workflow.get('status', {}).get('phase'):
                try:
                    self._play(name, workflow)
                except Exception:  # a defect of ours, which must not stop the thread
                    say(traceback.format_exc())
                    self._end(workflow, PlayedRun(id='', phase='Error', tasks={}, log='defect'))

    def _play(self, name: str, workflow: dict[str, Any]) -> None:
        # As Kubernetes does, when an object is created.
        workflow['metadata'].update(uid=f'uid-of-{name}', creationTimestamp=argo.now())

        def report() -> None:
            request(f'/cluster/workflows/{name}', workflow, method='PUT')
            # The API takes JSON in a string.
            request('/apis/v2beta1/workflows', json.dumps(request('/cluster/workflows')[name]))

        def terminates() -> bool:
            if self._stopping.is_set():
                return True
            # As the API sets it when a run is terminated.
            spec = request('/cluster/workflows')[name]['spec']
            return bool(spec.get('activeDeadlineSeconds') == 0)

        started = time.monotonic()
        player = WorkflowPlayer(workflow, self._pods, report, terminates)
        player.play()
        tasks = _states(workflow)
        for task, state in tasks.items():
            say(f'  {task:<20} {state:<9} {player.seconds.get(f"root/{task}/executor", 0):4.0f} s')
        phase = workflow['status']['phase']
        say(f'{name}: {phase} after {time.monotonic() - started:.0f} s')
        if player.log:
            say(player.log)
        run_id = workflow['metadata']['labels'][_RUN_LABEL]
        pods = {path.split('/')[1]: pod for path, pod in player.pods.items()}
        run = PlayedRun(id=run_id, phase=phase, tasks=tasks, log=player.log, pods=pods)
        self._end(workflow, run)

    def _end(self, workflow: Mapping[str, Any], run: PlayedRun) -> None:
        with self._changed:
            self._ended[workflow['metadata']['labels'][_RUN_LABEL]] = run
            self._changed.notify_all()


def _states(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of each task of the pipeline, from its nodes."""
    root = f'{workflow["metadata"]["name"]}.root.'
    phases = {node['name']: node['phase'] for node in workflow['status']['nodes'].values()}
    states = {}
    for name, phase in phases.items():
        task, _, rest = name.removeprefix(root).partition('.')
        if name.startswith(root) and not rest and f'{name}-driver' in phases:
            executor = phases.get(f'{name}.executor')
            if phase in ('Failed', 'Error'):
                states[task] = 'failed'
            elif executor in ('Skipped', 'Succeeded'):
                states[task] = 'cached' if executor == 'Skipped' else 'executed'
        elif phase in ('Failed', 'Error') and task.endswith('-driver') and not rest:
            states[task.removesuffix('-driver')] = 'failed'
    return states


def request(path: str, body: Any = None, *, method: str | None = None, host: str = API) -> Any:
    """Send a request with a body as JSON; return the answer, parsed.

    Raises:
        AssertionError: If the service refuses it; with the message of the service.
    """
    data = None if body is None else json.dumps(body).encode()
    made = urllib.request.Request(
        f'{host}{path}', data=data, method=method, headers={'Content-Type': 'application/json'}
    )
    try:
        with urllib.request.urlopen(made, timeout=60) as answer:
            return json.loads(answer.read() or b'null')
    except urllib.error.HTTPError as err:
        raise AssertionError(f'{path}: {err.code} {err.read().decode()[-2000:]}') from None


@contextlib.contextmanager
def start_cluster(folder: pathlib.Path, claims: Mapping[str, pathlib.Path]) -> Iterator[Cluster]:
    """Start all services on the ports that KFP expects; end them at the end.

    Args:
        folder: Folder for the logs and the metadata store.
        claims: Folder of each PersistentVolumeClaim, by name.
    """
    programs, servers = (pathlib.Path(os.environ[name]) for name in ('KFP_PROGRAMS', 'SERVERS'))
    here = pathlib.Path(__file__).parent
    logs = folder / 'logs'
    logs.mkdir()
    mlmd = [here / 'mlmd_server.py', folder / 'mlmd.sqlite', f'127.0.0.1:{MLMD_PORT}']
    with contextlib.ExitStack() as stack:
        for server in (kubernetes.serve(), *cloud_storage.serve()):
            stack.callback(server.shutdown)
        for name, port, command in (
            ('mlmd', MLMD_PORT, [servers / 'python', *mlmd]),
            ('kfpapi', 8888, [programs / 'kfpapi', '-logtostderr']),
            ('moto', _S3_PORT, [servers / 'moto_server', '-H', '127.0.0.1', '-p', _S3_PORT]),
        ):
            stack.enter_context(_serve([str(word) for word in command], port, logs / f'{name}.log'))
        put_bucket = urllib.request.Request(f'http://127.0.0.1:{_S3_PORT}/mlpipeline', method='PUT')
        urllib.request.urlopen(put_bucket).close()
        cluster = Cluster(Pods(programs, logs, claims))
        stack.callback(cluster.stop)
        yield cluster


@contextlib.contextmanager
def _serve(command: list[str], port: int, log: pathlib.Path) -> Iterator[None]:
    """Start a server, and wait until it takes connections."""
    with log.open('w') as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with socket.socket() as connection:
                if connection.connect_ex(('127.0.0.1', port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f'{command[0]} does not serve: {log.read_text()[-4000:]}')
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()
