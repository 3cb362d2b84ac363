"""The replicas of a training job, of steps that take no time."""

from __future__ import annotations

import json
import pathlib
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest

from components.common.errors import ComponentError, ConfigError, StepFailedError
from components.trainer.distribution.cluster import read_cluster
from pipeline.cloud.rehearsal import replicas as module
from pipeline.cloud.rehearsal.engine import ContainerEngine, ProcessEngine
from pipeline.cloud.rehearsal.run import Rehearsal
from pipeline.cloud.rehearsal.workspace import Workspace
from pipeline.results.outcome import NodeResult
from tests.conftest import run_command
from tests.pipeline.cloud.rehearsal import toys

# Says where it is, and waits for ever.
WORKER = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], 'worker.json').write_text(os.environ['TF_CONFIG'])
time.sleep(1_000)
"""
# Waits for the worker, and does what a step does.
CHIEF = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv.pop())
while not (folder / 'worker.json').is_file():
    time.sleep(0.05)
(folder / 'chief.json').write_text(os.environ['TF_CONFIG'])
"""

FAILING = """
import sys
print('ValueError: no such thing', file=sys.stderr)
sys.exit(5)
"""


class Silent:
    """Hears, notes and says nothing."""

    def nodes_known(self, node_ids: Any) -> None: ...

    def node_started(self, index: int, total: int, node_id: str) -> None: ...

    def node_finished(self, index: int, total: int, result: NodeResult) -> None: ...

    def note(self, step: str, produced: Any) -> str:
        return ''


def pool(replicas: int, code: str, *args: str) -> dict[str, Any]:
    command = ['python', '-c', code]
    return {
        'machineSpec': {'machineType': 'n1-standard-8'},
        'replicaCount': str(replicas),
        'containerSpec': {'imageUri': 'image:1', 'command': command, 'args': list(args)},
    }


def with_job(*pools: dict[str, Any]) -> dict[str, Any]:
    spec = toys.spec()
    spec['deploymentSpec']['executors']['second'] = {
        'customJob': {'customJob': {'jobSpec': {'workerPoolSpecs': list(pools)}}}
    }
    return spec


def rehearse(spec: dict[str, Any], folder: pathlib.Path, target: Any = 'vertex') -> Rehearsal:
    workspace = Workspace(root=folder / 'rehearsal', target=target)
    rehearsal = Rehearsal(
        pipeline=toys.compiled(target, spec, folder / 'artifacts'),
        values={},
        engine=ProcessEngine(),
        workspace=workspace,
        run_id=workspace.new_run(),
    )
    rehearsal.run(Silent(), Silent())
    return rehearsal


@pytest.mark.parametrize('replicas', [1, 7])
def test_two_replicas_are_told_of_each_other_when_a_job_has_workers(
    replicas: int, tmp_path: pathlib.Path
) -> None:
    chief = pool(1, CHIEF + toys.MAKE, '{{$}}', str(tmp_path))
    started = time.monotonic()
    rehearsal = rehearse(with_job(chief, pool(replicas, WORKER, str(tmp_path))), tmp_path)
    # The worker was ended with the chief.
    assert time.monotonic() - started < 60
    assert [result.state for result in rehearsal.results] == ['executed', 'executed']
    assert list(rehearsal.produced['Second'].artifacts) == ['model']
    clusters = [
        read_cluster({'TF_CONFIG': (tmp_path / f'{name}.json').read_text()})
        for name in ('chief', 'worker')
    ]
    assert clusters[0].addresses == clusters[1].addresses
    assert [cluster.index for cluster in clusters] == [0, 1]
    assert len(clusters[0].addresses) == 2


def test_job_of_one_replica_runs_as_a_step_does(tmp_path: pathlib.Path) -> None:
    rehearsal = rehearse(with_job(pool(1, toys.MAKE, '{{$}}')), tmp_path)
    assert [result.state for result in rehearsal.results] == ['executed', 'executed']


def test_workers_are_ended_when_the_chief_fails(tmp_path: pathlib.Path) -> None:
    failing = CHIEF + 'sys.exit(3)'
    chief = pool(1, failing, '{{$}}', str(tmp_path))
    with pytest.raises(ComponentError, match='Second failed with exit code 3'):
        rehearse(with_job(chief, pool(1, WORKER, str(tmp_path))), tmp_path)


def test_chief_is_ended_when_a_worker_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, '_ENDING_SECONDS', 0.5)
    chief = pool(1, 'import time; time.sleep(1_000)', '{{$}}')
    started = time.monotonic()
    message = '^worker 0 of Second failed with exit code 5: ValueError: no such thing$'
    with pytest.raises(StepFailedError, match=message) as caught:
        rehearse(with_job(chief, pool(1, FAILING)), tmp_path)
    assert time.monotonic() - started < 60
    assert caught.value.tail[-1] == 'ValueError: no such thing'


def test_rehearsal_fails_when_the_chief_succeeds_and_a_worker_does_not(
    tmp_path: pathlib.Path,
) -> None:
    after = 'while not (pathlib.Path(sys.argv[1]) / "chief.json").is_file(): time.sleep(0.05)'
    worker = f'{WORKER.replace("time.sleep(1_000)", after)}\nsys.exit(4)'
    chief = pool(1, CHIEF + toys.MAKE, '{{$}}', str(tmp_path))
    with pytest.raises(StepFailedError, match='^worker 0 of Second failed with exit code 4$'):
        rehearse(with_job(chief, pool(1, worker, str(tmp_path))), tmp_path)


def test_both_are_told_of_when_chief_and_worker_fail(tmp_path: pathlib.Path) -> None:
    chief = pool(1, 'import sys, time; time.sleep(1); print("no answer"); sys.exit(6)', '{{$}}')
    message = '^Second failed with exit code 6; worker 0 of Second failed with exit code 5: Value'
    with pytest.raises(StepFailedError, match=message) as caught:
        rehearse(with_job(chief, pool(1, FAILING)), tmp_path)
    assert caught.value.tail[0] == 'no answer'
    assert caught.value.tail[-1] == 'ValueError: no such thing'


def test_error_is_raised_when_a_worker_cannot_be_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, '_ENDING_SECONDS', 0.5)

    def broken(*_: Any, stop: Any, log: pathlib.Path, **__: Any) -> int:
        raise PermissionError(f'cannot write {log.name}')

    def run_chief() -> None:
        with module.beside(
            SimpleNamespace(run=broken), pool(1, ''), what='Second', mounts=(),
            log=tmp_path / 'chief.log',
        ) as chief:  # fmt: skip
            assert chief.stop is not None
            assert chief.stop.wait(60)

    with pytest.raises(PermissionError, match=r'^cannot write chief-worker-0\.log$'):
        run_chief()


def test_job_is_refused_when_it_is_on_kubeflow_or_has_no_replicas(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match='Second is run by a customJob'):
        rehearse(with_job(pool(1, toys.MAKE, '{{$}}')), tmp_path, 'kubeflow')
    with pytest.raises(ConfigError, match='Second is a training job without replicas'):
        rehearse(with_job(), tmp_path)


def test_containers_share_the_network_when_they_are_replicas() -> None:
    engine = ContainerEngine(program='podman')
    for environment in ({}, {'TF_CONFIG': json.dumps({})}):
        line = engine.command_line(
            {'image': 'image:1'}, name='n', environment=environment, mounts=()
        )
        assert ('--network=host' in line) == bool(environment)


@pytest.mark.slow
def test_one_model_comes_of_two_replicas_when_the_compiled_pipeline_is_rehearsed(
    tmp_path: pathlib.Path,
) -> None:
    done = run_command(
        *('rehearse', '--target', 'vertex', '--preset', 'tutorial', '--root', 'root', '--json'),
        *('--set', 'trainer.distribution=multi_worker'),
        *('--set', 'cloud.training_job={replicas: 4}'),
        # So few reviews teach it little; it is trained and judged all the same.
        *('--param', 'epochs=3'),
        cwd=tmp_path,
    )
    assert done.code in (0, 3), done.err
    assert done.states()['Trainer'] == 'executed'
    assert done.states()['Evaluator'] == 'executed'
    (log,) = (tmp_path / 'root').rglob('Trainer-worker-0.log')
    read = re.search(r'worker 1: read (\d+) of (\d+) examples of train', log.read_text())
    assert read is not None, log.read_text()
    assert 0 < int(read[1]) < int(read[2])
    assert len(list((tmp_path / 'root').rglob('Format-Serving/saved_model.pb'))) == 1
