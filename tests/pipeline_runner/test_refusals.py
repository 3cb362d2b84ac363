"""Bad input, a bad disk or no installation: one clear error, and nothing is lost."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import NODES, REPO, SAMPLE, call_command


@pytest.mark.parametrize(
    ('args', 'code', 'message'),
    [
        (('run',), 2, 'data.path is required'),
        (('run', '--data', 'none.csv'), 4, 'no such file or folder'),
        (('run', '--data', 'empty.csv'), 4, 'the file is empty'),
        (('run', '--data', 'a.csv', '--text-column', 'body'), 4, "no column 'body'"),
        (('run', '--data', 'a.xlsx'), 4, 'cannot tell the format'),
        (('run', '--data', 'b-{SPAN}.csv'), 4, 'no file matches b-{SPAN}.csv in '),
        (('run', '--data', '{SPAN}-{DD}.csv'), 4, '{SPAN} and {DD} both name the span'),
        (('run', '--data', 'a.csv', '--spans', '2'), 2, 'a.csv names no spans'),
        (('run', '--data', '{SPAN}.csv', '--spans', '0'), 2, 'data.spans: '),
        (('run', '--data', 'a.csv', '--preset', 'best'), 2, "there is no preset 'best'"),
        (('run', '--data', 'a.csv', '--set', 'trainer.model.epoch=1'), 2, 'trainer.model.epochs?'),
        (('run', '--data', 'a.csv', '--set', 'gate.min_accuracy=2'), 2, 'got 2'),
        (('run', '--data', 'a.csv', '--root', 'a.csv/x'), 2, 'cannot write to the root'),
        (('run', '--data', 'a.csv', '--root', 'r?'), 2, 'root: there is a ? in r?, which'),
        (('run', '--nonsense'), 2, 'No such option'),
        (('predict', 'x', '--input', 'a.csv'), 2, 'got both'),
        (('predict', 'Lovely'), 4, 'no model was pushed'),
        (('runs',), 4, 'no run below'),
        (('tensorboard',), 4, 'has trained a model'),
        (('tensorboard', '--port', '70000'), 2, '70000'),
    ],
)
def test_command_fails_in_one_line_when_input_is_invalid(
    args: tuple[str, ...], code: int, message: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'empty.csv').touch()
    (tmp_path / 'a.csv').write_text('text,label\nfine,1\n')
    (tmp_path / 'a.xlsx').write_text('x')
    before = sorted(tmp_path.iterdir())
    done = call_command(*args, cwd=tmp_path)
    assert done.code == code
    assert message in done.err
    assert 'Traceback' not in done.err
    assert done.out == ''
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize('command', [('run',), ('rehearse', '--target', 'vertex')])
def test_nothing_is_written_when_the_current_folder_is_named_like_a_pattern(
    command: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / 'a[1]'
    folder.mkdir()
    done = call_command(*command, '--data', str(SAMPLE), cwd=folder)
    assert done.code == 2
    assert 'there is a [ in ' in done.err
    assert 'Traceback' not in done.err
    assert list(folder.iterdir()) == []


def test_nothing_is_trained_when_a_third_label_appears(tmp_path: pathlib.Path) -> None:
    rows = ''.join(f'text {i},{("good", "bad", "odd")[i % 3]}\n' for i in range(90))
    (tmp_path / 'a.csv').write_text('text,label\n' + rows)
    command = ('run', '--data', 'a.csv', '--positive-label', 'good', '--json')
    done = call_command(*command, cwd=tmp_path)
    assert done.code == 4
    assert 'expected two label values, got 3' in done.err
    assert done.json['outcome'] == 'failed'
    assert 'expected two label values, got 3' in done.json['error']
    assert done.states() == {n: 'failed' if n == 'ExampleGen' else 'skipped' for n in NODES}
    assert not (tmp_path / 'runs' / 'serving').exists()
    assert not list((tmp_path / 'runs' / 'artifacts').rglob('*.gz'))


@pytest.fixture
def tiny_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of 2 MiB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('mounting a small disk needs root')
    yield disk
    subprocess.run(['umount', str(disk)], check=True)


def test_run_fails_without_a_traceback_when_the_disk_is_full(tiny_disk: pathlib.Path) -> None:
    done = call_command('run', '--data', str(SAMPLE), cwd=tiny_disk)
    assert done.code == 5
    assert 'no space left on the disk' in done.err
    assert 'Traceback' not in done.err
    assert not (tiny_disk / 'runs' / 'serving').exists()


def test_run_is_refused_when_the_disk_is_read_only(tiny_disk: pathlib.Path) -> None:
    subprocess.run(['mount', '-o', 'remount,ro', str(tiny_disk)], check=True)
    root = str(tiny_disk / 'runs')
    done = call_command('run', '--data', str(SAMPLE), '--root', root, cwd=tiny_disk)
    assert done.code == 2
    assert 'cannot write to the root' in done.err
    assert 'Read-only file system' in done.err


def test_no_large_package_is_imported_when_help_is_printed(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, '-X', 'importtime', str(REPO / 'pipeline_runner.py'), '--help'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
    assert 'click' in imported
    assert not imported & {'tensorflow', 'tfx', 'apache_beam', 'pydantic', 'rich', 'numpy'}


def test_error_names_make_setup_when_nothing_is_installed(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, '-S', str(REPO / 'pipeline_runner.py'), 'runs'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
    )
    assert done.returncode == 6
    assert 'make setup' in done.stderr


@pytest.mark.parametrize('unbuffered', ['', '1'])
@pytest.mark.parametrize(
    ('args', 'code', 'message'),
    [
        (('config', 'show'), 4, 'cannot write the output: No space left on device; free'),
        (('models', '--json'), 4, 'cannot write the output: No space left on device; free'),
        (('run', '--json', '--data', 'none.csv'), 4, 'no such file or folder'),
    ],
)
def test_error_is_one_line_when_the_disk_of_the_output_is_full(
    args: tuple[str, ...], code: int, message: str, unbuffered: str, tmp_path: pathlib.Path
) -> None:
    with open('/dev/full', 'w', encoding='utf-8') as full:
        done = subprocess.run(
            [sys.executable, str(REPO / 'pipeline_runner.py'), *args],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
        )
    assert done.returncode == code
    (line,) = done.stderr.splitlines()
    assert line.startswith(f'error: {message}')
