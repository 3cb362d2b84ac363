"""What the README says of settings, as it stands there."""

from __future__ import annotations

import pathlib
import re
import shlex

import pytest
from click.testing import CliRunner

from components.common import features
from pipeline.cli.main import main
from pipeline.settings.config import PipelineConfig
from tests.conftest import REPO

README = (REPO / 'README.md').read_text(encoding='utf-8')


def test_command_and_file_mean_the_same_when_settings_are_changed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = README.partition('\n## Settings\n')[2].partition('\n## ')[0]
    (commands,) = re.findall(r'```sh\n(.*?)```', section, re.DOTALL)
    (file,) = re.findall(r'```yaml\n(.*?)```', section, re.DOTALL)
    (tmp_path / 'settings.yaml').write_text(file)
    monkeypatch.chdir(tmp_path)
    asked: list[PipelineConfig] = []
    monkeypatch.setattr(
        'pipeline.cli.local_run.run_locally', lambda config, **_: asked.append(config)
    )
    for command in commands.replace('\\\n', '').splitlines():
        python, runner, *args = shlex.split(command)
        assert (python, runner) == ('python', 'pipeline_runner.py')
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output + str(done.exception)
    by_flags, by_file = asked
    assert by_flags == by_file
    assert by_file.trainer.model.architecture == 'tutorial'
    assert (by_file.trainer.model.epochs, by_file.trainer.model.learning_rate) == (5, 0.0005)


def test_slices_are_named_when_the_gate_is_explained() -> None:
    (row,) = [line for line in README.splitlines() if line.startswith('| `gate.slices`')]
    assert [name for name in re.findall('`([^`]*)`', row) if name in features.LENGTH_BUCKETS] == [
        *features.LENGTH_BUCKETS
    ]
