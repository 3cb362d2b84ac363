"""What is told when KFP's local runner does not do what it should, with one that is played."""

from __future__ import annotations

import pathlib

import pytest

from tests.containers.conftest import Kubeflow
from tests.containers.engine import LABEL, Engine


def runner_that(does: str, folder: pathlib.Path) -> Kubeflow:
    program = folder / 'python'
    program.write_text(f'#!/bin/sh\necho "$*" >{folder}/arguments\n{does}\n')
    program.chmod(0o755)
    engine = Engine('docker', folder, {'PATH': '/usr/bin:/bin'})
    return Kubeflow(engine, program, folder, folder / 'pipeline.yaml')


def test_one_line_says_so_when_a_run_has_left_no_folder(tmp_path: pathlib.Path) -> None:
    kubeflow = runner_that('echo log; echo []; exit 1', tmp_path)
    with pytest.raises(pytest.fail.Exception, match='the runner left no folder of a run in /'):
        kubeflow.run()


def test_run_is_what_the_runner_says_and_its_containers_have_the_label(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'sentiment-1').mkdir()
    (tmp_path / 'sentiment-2').mkdir()
    kubeflow = runner_that("""echo log; echo '[{"exit_code": 0}]'""", tmp_path)
    run = kubeflow.run(svm_cost=0.5)
    assert (run.code, run.folder.name, run.log) == (0, 'sentiment-2', 'log')
    assert run.containers == [{'exit_code': 0}]
    assert f'--label {LABEL}' in (tmp_path / 'arguments').read_text()
