"""Settings on the command line: where each command takes them from, and how they are shown."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.main import main
from pipeline.settings.config import DataConfig
from tests.conftest import call_command

_SERVICE = ('--target', 'kubeflow', '--host', 'http://127.0.0.1:9')


@pytest.mark.parametrize(
    'command',
    [
        ('run',),
        ('config', 'show'),
        ('doctor',),
        ('repair',),
        ('compile', '--target', 'vertex'),
        ('rehearse', '--target', 'kubeflow'),
        ('submit', *_SERVICE),
        ('schedule', 'create', *_SERVICE, '--cron', '0 3 * * *'),
    ],
    ids=lambda command: command[0],
)
def test_each_command_reads_the_preset_from_the_settings_file(
    command: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'c.yaml').write_text('preset: best\ndata: {path: a.csv}\n')
    done = call_command(*command, '--config', 'c.yaml', cwd=tmp_path)
    assert done.code == 2
    assert "there is no preset 'best' (named in c.yaml); the presets are" in done.err


@pytest.mark.parametrize(
    ('args', 'path'),
    [
        ((), 'PATH'),
        (('--config', 'c.yaml'), 'of-file.csv'),
        (('--set', 'data.path=set.csv'), 'set.csv'),
        (('--config', 'c.yaml', '--data', 'flag.csv'), 'flag.csv'),
    ],
)
def test_config_show_prints_the_data_path_that_a_run_would_read(
    args: tuple[str, ...], path: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'c.yaml').write_text('data: {path: of-file.csv}\n')
    done = call_command('config', 'show', *args, cwd=tmp_path)
    assert done.code == 0, done.err
    assert yaml.safe_load(done.out)['data']['path'] == path


def test_shown_settings_are_unchanged_when_read_back(tmp_path: pathlib.Path) -> None:
    chosen = ('--preset', 'accurate', '--set', 'trainer.model.svm_cost=3', '--data', 'é, #1.csv')
    shown = call_command('config', 'show', *chosen, cwd=tmp_path)
    (tmp_path / 'c.yaml').write_text(shown.out)
    assert 'trainer: ' in shown.out
    assert '# width of the document vectors' in shown.out
    assert call_command('config', 'show', '--config', 'c.yaml', cwd=tmp_path) == shown


@pytest.mark.parametrize(
    ('args', 'path'),
    [
        ((), None),
        (('--config', 'team.yaml'), None),
        (('--config', 'shown.yaml'), None),
        (('--config', 'data.yaml'), 'of-file.csv'),
        (('--config', 'team.yaml', '--data', 'flag.csv'), 'flag.csv'),
        (('--data', 'PATH'), 'PATH'),
        (('--set', 'data.path=set.csv'), 'set.csv'),
    ],
)
def test_doctor_checks_data_only_when_settings_name_a_path(
    args: tuple[str, ...],
    path: str | None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[DataConfig | None] = []
    monkeypatch.setattr(
        'pipeline.doctor.run.run_doctor',
        lambda root, serving, data, metadata, *, as_json: looked_at.append(data),
    )
    monkeypatch.chdir(tmp_path)
    settings = {
        'team': {'metadata': {'backend': 'sqlite'}, 'serving_dir': '/mnt/team/served'},
        'shown': yaml.safe_load(CliRunner().invoke(main, ['config', 'show']).output),
        'data': {'data': {'path': 'of-file.csv'}},
    }
    for name, tree in settings.items():
        pathlib.Path(f'{name}.yaml').write_text(json.dumps(tree))
    done = CliRunner().invoke(main, ['doctor', *args])
    assert done.exit_code == 0, done.output + str(done.exception)
    assert [data and data.path for data in looked_at] == [path]
