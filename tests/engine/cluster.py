"""A standalone Flink cluster, and Beam's job server for it: processes of this machine.

Each has a log in the folder of the cluster, listens on loopback only, and ends with the block
that starts it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.engine.jars import java

Process = subprocess.Popen[bytes]

TASK_MANAGER_MEMORY = '2560m'
# Beam options for workers that task managers and executors start on this machine.
_BOOT = pathlib.Path(__file__).parents[2] / 'components' / 'beam_worker' / 'boot.sh'
WORKERS = ('--environment_type=PROCESS', f'--environment_config={{"command": "{_BOOT}"}}')
_PACKAGES = ('lang', 'lang.reflect', 'net', 'nio', 'io', 'time', 'util', 'util.concurrent')
# Flink and Spark reach into these packages.
OPENED = [f'--add-opens=java.base/java.{package}=ALL-UNNAMED' for package in _PACKAGES]
OPENED.append('--add-opens=java.base/sun.nio.ch=ALL-UNNAMED')
_RESULT = 'BASH_JAVA_UTILS_EXEC_RESULT:'
_START_SECONDS = 120.0


class Service:
    """Processes that end together.

    Attributes:
        folder: Place of their logs.
        processes: All that were started.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.processes: list[Process] = []

    def start(self, name: str, command: Sequence[str], **options: Any) -> Process:
        """Start a process in a group of its own, which its workers join."""
        with (self.folder / f'{name}.log').open('ab') as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **options
            )
        self.processes.append(process)
        return process

    def wait(self, what: str, ready: Callable[[], Any]) -> Any:
        """Wait until `ready` returns something, and return that."""
        deadline = time.monotonic() + _START_SECONDS
        while not (found := ready()):
            logs = ', '.join(map(str, sorted(self.folder.glob('*.log'))))
            assert time.monotonic() < deadline, f'{what} takes too long; see {logs}'
            time.sleep(0.1)
        return found

    def stop(self) -> None:
        """End all processes and their workers."""
        for process in reversed(self.processes):
            # A worker may outlive the process that started it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Flink(Service):
    """A cluster with one job manager, and a job server that submits jobs to it.

    Attributes:
        rest: HOST:PORT of the job manager's REST service.
        job_endpoint: HOST:PORT of the job server.
        task_managers: The task managers that run, in the order of their start.
        job_server: The process of the job server.
    """

    def __init__(
        self, folder: pathlib.Path, jars: pathlib.Path, memory: str, slots: int, **options: str
    ) -> None:
        super().__init__(folder)
        self._jars, self._slots, self._started = f'{jars}/*', slots, 0
        rest, rpc, jobs = free_ports(3)
        self.rest, self.job_endpoint = f'localhost:{rest}', f'localhost:{jobs}'
        self.task_managers: list[Process] = []
        config = {
            'jobmanager.rpc.address': 'localhost',
            'jobmanager.rpc.port': str(rpc),
            'jobmanager.bind-host': 'localhost',
            'rest.address': 'localhost',
            'rest.bind-address': 'localhost',
            'rest.port': str(rest),
            'taskmanager.host': 'localhost',
            'taskmanager.bind-host': 'localhost',
            'taskmanager.numberOfTaskSlots': str(slots),
            'taskmanager.memory.process.size': memory,
            # Beam's runner reads and sends records in direct memory.
            'taskmanager.memory.task.off-heap.size': '512m',
            'taskmanager.memory.network.min': '256m',
            'taskmanager.memory.network.max': '256m',
            # Without one, the first lost task manager fails the job.
            'restart-strategy.type': 'fixed-delay',
            'restart-strategy.fixed-delay.attempts': '3',
            # Until it notices a loss, Flink offers the lost slots again, and attempts fail.
            'restart-strategy.fixed-delay.delay': '10 s',
            'heartbeat.interval': '5000',
            # On a busy machine, the processes answer late.
            'pekko.ask.timeout': '60 s',
            'io.tmp.dirs': str(folder),
            **options,
        }
        # JSON is YAML.
        (folder / 'config.yaml').write_text(json.dumps(config), encoding='utf-8')

    def start_all(self, task_managers: int) -> None:
        """Start the job manager, the task managers and the job server."""
        self._parallelism = max(1, self._slots * task_managers)
        runtime = 'org.apache.flink.runtime'
        self._start_java(
            'job-manager', f'{runtime}.entrypoint.StandaloneSessionClusterEntrypoint', '-Xmx512m'
        )
        self._memory = self._task_manager_memory()
        self.wait('the job manager', lambda: self.get('/overview'))
        for _ in range(task_managers):
            self.start_task_manager()
        self.start_job_server()

    def _java(self, main: str, *options: str) -> list[str]:
        return [java(), *OPENED, *options, '-cp', self._jars, main]

    def _start_java(self, name: str, main: str, *options: str) -> Process:
        command = [*self._java(main, *options), '--configDir', str(self.folder)]
        return self.start(name, command, cwd=self.folder)

    def _task_manager_memory(self) -> tuple[list[str], list[str]]:
        """Return the Java options and Flink options that Flink's start script computes."""
        main = 'org.apache.flink.runtime.util.bash.BashJavaUtils'
        command = [*self._java(main), 'GET_TM_RESOURCE_PARAMS', '--configDir', str(self.folder)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        of_java, of_flink = (
            line.removeprefix(_RESULT).split() for line in out.splitlines() if _RESULT in line
        )
        return of_java, of_flink

    def start_job_server(self) -> None:
        """Start the job server at `job_endpoint`, also again after its end."""
        host, port = self.job_endpoint.split(':')
        command = self._java('org.apache.beam.runners.flink.FlinkJobServerDriver', '-Xmx512m')
        command += [f'--job-host={host}', f'--job-port={port}', f'--flink-master={self.rest}']
        command += ['--artifact-port=0', '--expansion-port=0', f'--artifacts-dir={self.folder}']
        self.job_server = self.start('job-server', command, cwd=self.folder)
        self.wait('the job server', lambda: listens(self.job_endpoint))

    def start_task_manager(self) -> Process:
        """Start a task manager, and wait until the job manager knows it."""
        of_java, of_flink = self._memory
        self._started += 1
        main = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner'
        command = [*self._java(main, *of_java), '--configDir', str(self.folder), *of_flink]
        name = f'task-manager-{self._started}'
        command += ['-D', f'taskmanager.resource-id={name}']
        process = self.start(name, command, cwd=self.folder)
        self.task_managers.append(process)
        self.wait(
            name,
            lambda: any(known['id'] == name for known in self.get('/taskmanagers')['taskmanagers']),
        )
        return process

    def kill_task_manager(self) -> None:
        """Kill the oldest task manager, but not its workers."""
        kill(self.task_managers.pop(0))

    def kill_worker(self) -> None:
        """Kill a worker of the oldest task manager."""
        manager = self.task_managers[0].pid
        workers = self.wait('a worker', lambda: processes_of_session(manager) - {manager})
        os.kill(max(workers), signal.SIGKILL)

    def kill_job_server(self) -> None:
        kill(self.job_server)

    def get(self, path: str) -> Any:
        """Return an answer of the REST service, and nothing if it does not answer."""
        try:
            with urllib.request.urlopen(f'http://{self.rest}{path}', timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return {}

    @property
    def beam_args(self) -> tuple[str, ...]:
        """The runner and its options, except for those of workers."""
        options = (f'--job_endpoint={self.job_endpoint}', f'--parallelism={self._parallelism}')
        return ('FlinkRunner', *options)

    def jobs(self) -> list[dict[str, Any]]:
        """Return `jid`, `name`, `state` and more of all jobs, in the order of their start."""
        jobs: list[dict[str, Any]] = self.get('/jobs/overview').get('jobs', [])
        return sorted(jobs, key=lambda job: job['start-time'])


@contextlib.contextmanager
def flink(
    folder: pathlib.Path,
    jars: pathlib.Path,
    *,
    task_managers: int = 2,
    memory: str = TASK_MANAGER_MEMORY,
    slots: int = 1,
    **options: str,
) -> Iterator[Flink]:
    """Run a cluster with a number of task managers.

    Args:
        folder: Folder for configuration and logs; it is made.
        jars: Folder with the jars.
        task_managers: Number of task managers.
        memory: Memory of each, such as 2560m.
        slots: Slots of each.
        options: Further options of Flink.
    """
    cluster = Flink(folder, jars, memory, slots, **options)
    try:
        cluster.start_all(task_managers)
        yield cluster
    finally:
        cluster.stop()


class Spark(Service):
    """A job server in which Spark runs, with two executors in processes of their own.

    Attributes:
        job_endpoint: HOST:PORT of the job server.
    """

    def __init__(self, folder: pathlib.Path, jars: pathlib.Path) -> None:
        super().__init__(folder)
        (port,) = free_ports(1)
        self.job_endpoint = f'localhost:{port}'
        # The executors take their class path from a folder of this name.
        (folder / 'jars').symlink_to(jars)
        environment = {
            **os.environ,
            'SPARK_HOME': str(folder),
            'SPARK_SCALA_VERSION': '2.12',
            'SPARK_LOCAL_IP': '127.0.0.1',
            'SPARK_LOCAL_HOSTNAME': 'localhost',
        }
        main = 'org.apache.beam.runners.spark.SparkJobServerDriver'
        command = [java(), *OPENED, '-Xmx1g', '-Dspark.ui.enabled=false']
        command += ['-cp', f'{jars}/*', main, f'--job-port={port}', '--job-host=localhost']
        command += ['--spark-master-url=local-cluster[2,1,2048]', f'--artifacts-dir={folder}']
        command += ['--artifact-port=0', '--expansion-port=0']
        self.start('job-server', command, cwd=folder, env=environment)

    @property
    def beam_args(self) -> tuple[str, ...]:
        """The runner and its options, except for those of workers."""
        # Otherwise, each stage of a job has workers of its own, which import their code again.
        options = (f'--job_endpoint={self.job_endpoint}', '--environment_cache_millis=60000')
        return ('SparkRunner', *options)


@contextlib.contextmanager
def spark(folder: pathlib.Path, jars: pathlib.Path) -> Iterator[Spark]:
    """Run Spark and its job server.

    Args:
        folder: Folder for logs and files of Spark; it is made.
        jars: Folder with the jars.
    """
    service = Spark(folder, jars)
    try:
        service.wait('the job server', lambda: listens(service.job_endpoint))
        yield service
    finally:
        service.stop()


def processes_of_session(leader: int) -> set[int]:
    """Return the processes of a session (Linux only)."""
    found = set()
    for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
        # A process may end at any time.
        with contextlib.suppress(OSError):
            # The fields after the name, which may contain spaces.
            fields = path.read_text().rpartition(')')[2].split()
            if int(fields[3]) == leader:
                found.add(int(path.parent.name))
    return found


def kill(process: Process) -> None:
    """End a process as a crash does."""
    process.kill()
    process.wait()


def free_ports(count: int) -> list[int]:
    """Return different ports that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(('localhost', 0))
        return [each.getsockname()[1] for each in sockets]


def listens(address: str) -> bool:
    """Return whether something listens at HOST:PORT."""
    host, _, port = address.partition(':')
    with contextlib.suppress(OSError):
        socket.create_connection((host, int(port)), timeout=1).close()
        return True
    return False
