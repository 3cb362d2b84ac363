"""Runs the steps of a rehearsal in processes that do not import TFX again."""

from __future__ import annotations

import gc
import multiprocessing
import multiprocessing.forkserver
import os
import pathlib
import runpy
import sys
from collections.abc import Mapping, Sequence

import pytest

from pipeline.cloud.rehearsal.engines import Container, Mount, ProcessEngine
from tests.conftest import REPO, smoke_tests_in_this_process

_FORK_SERVER = multiprocessing.get_context('forkserver')
_FORK_SERVER.set_forkserver_preload(
    [
        'tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor',
        'tfx.orchestration.kubeflow.v2.file_based_example_gen.driver',
        # What the steps run, and what uses the smoke test.
        'components.example_gen.executor',
        'components.statistics_gen.executor',
        'components.transform.executor',
        'components.trainer.executor',
        'components.evaluator.executor',
        'components.pusher.executor',
        'components.served_baseline.executor',
        'pipeline.doctor.served',
        'pipeline.models.rollback',
    ]
)


class PreloadedEngine(ProcessEngine):
    """Forks the process of each step from one that has imported TFX, which takes 5 CPU seconds."""

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            # The fork server does not get the path of this process, and skips what it cannot find.
            patch.chdir(REPO)
            multiprocessing.forkserver.ensure_running()

    def run(self, container: Container, *, mounts: Sequence[Mount], log: pathlib.Path) -> int:
        python, option, *words = container['command']
        assert (python, option) == ('python', '-m')
        variables = {pair['name']: pair['value'] for pair in container['env']}
        arguments = ([*words, *container['args']], variables, log)
        step = _FORK_SERVER.Process(target=_run_module, args=arguments)
        step.start()
        step.join()
        assert step.exitcode is not None
        return step.exitcode


def _run_module(words: Sequence[str], variables: Mapping[str, str], log: pathlib.Path) -> None:
    gc.freeze()
    with open(log, 'ab') as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(log.parent)
    os.environ.update(variables)
    sys.argv = [*words]
    with smoke_tests_in_this_process():
        runpy.run_module(words[0], run_name='__main__', alter_sys=True)
