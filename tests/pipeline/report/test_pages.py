"""Tests of the command `report` and of the pages that runs write."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from pipeline.local.runner import run_pipeline
from tests.conftest import REPO, SAMPLE, call_command, run_command
from tests.pipeline.report.conftest import Runs


def test_outcome_names_the_report_when_a_run_has_ended(runs: Runs) -> None:
    for kind, outcome in runs.outcomes.items():
        page = pathlib.Path(outcome['report'])
        assert page == runs.root / 'reports' / f'{runs.id_of(kind)}.html'
        assert page.read_text(encoding='utf-8').startswith('<!doctype html>')


def test_run_succeeds_when_the_report_cannot_be_written(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_and_spoil_the_folder(*args: Any, **options: Any) -> Any:
        ended = run_pipeline(*args, **options)
        # The run would not start if this file existed before.
        shutil.rmtree(runs.root / 'reports')
        (runs.root / 'reports').write_text('no folder')
        return ended

    monkeypatch.setattr('pipeline.local.runner.run_pipeline', run_and_spoil_the_folder)
    done = call_command('run', '--data', str(SAMPLE), '--json', cwd=runs.home)
    assert done.code == 0, done.err
    assert done.json['outcome'] == 'pushed'
    assert done.json['report'] is None
    (warning,) = (line for line in done.err.splitlines() if line.startswith('warning'))
    assert 'the report was not written; see the log: ' in warning
    log = (runs.home / done.json['log']).read_text(encoding='utf-8')
    assert 'Traceback' in log
    assert 'cannot write the report' in log


def test_page_is_written_again_only_when_an_output_is_passed(
    runs: Runs, tmp_path: pathlib.Path
) -> None:
    page = pathlib.Path(runs.outcomes['failed']['report'])
    before = page.stat().st_mtime_ns
    command = ('report', runs.id_of('failed'), '--root', str(runs.root))
    done = call_command(*command, cwd=tmp_path)
    assert (done.code, done.out) == (0, f'{page}\n')
    output = tmp_path / 'new' / 'page.html'
    done = call_command(*command, '--output', str(output), cwd=tmp_path)
    assert (done.code, done.out) == (0, f'{output}\n')
    assert output.read_bytes() == page.read_bytes()
    assert page.stat().st_mtime_ns == before


def test_browser_opens_the_page_when_open_is_passed(
    runs: Runs, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / 'browser'
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked\n')
    browser.chmod(0o755)
    monkeypatch.setenv('BROWSER', f'{browser} %s')
    done = run_command('report', runs.id_of('pushed'), '--open', cwd=runs.home)
    assert done.code == 0, done.err
    page = pathlib.Path(runs.outcomes['pushed']['report'])
    assert (tmp_path / 'asked').read_text() == f'{page.as_uri()}\n'
    monkeypatch.setenv('BROWSER', '/bin/false')
    done = run_command('report', runs.id_of('pushed'), '--open', cwd=runs.home)
    assert done.code == 6
    assert f'open {page} yourself' in done.err


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (['2000-01-01T00-00-00'], 4, 'no run'),
        (['--compare', '{pushed}'], 2, 'expected 2 to 6 different runs'),
        (['--compare', '{pushed}', '{pushed}'], 2, 'expected 2 to 6 different runs'),
        (['{pushed}', '{failed}'], 2, '--compare'),
        (['--output', '{home}'], 2, 'cannot write the report'),
    ],
)
def test_error_explains_the_problem_when_options_are_wrong(
    arguments: list[str], code: int, message: str, runs: Runs
) -> None:
    names = {kind: runs.id_of(kind) for kind in runs.outcomes}
    filled = [argument.format(home=runs.home, **names) for argument in arguments]
    done = call_command('report', *filled, cwd=runs.home)
    assert done.code == code
    assert message in done.err
    assert 'Traceback' not in done.err


def test_tfx_and_tensorflow_are_not_imported_when_a_page_is_written(
    runs: Runs, tmp_path: pathlib.Path
) -> None:
    script = (
        'import sys, pipeline_runner\n'
        'code = pipeline_runner._exit_code(sys.argv[1:])\n'
        "print(code, sorted({m.split('.')[0] for m in sys.modules} & {'tensorflow', 'tfx'}))\n"
    )
    command = ('report', '--root', str(runs.root), '--output', str(tmp_path / 'page.html'))
    arguments = [sys.executable, '-c', script, *command]
    done = subprocess.run(arguments, cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '0 []'
