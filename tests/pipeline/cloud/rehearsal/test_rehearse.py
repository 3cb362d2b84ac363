"""What a rehearsal shows, with a toy pipeline."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

import pipeline.cloud.compile
from components.common.errors import ConfigError, DataError, NotBlessedError, StepFailedError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal.rehearse import rehearse
from pipeline.cloud.targets import TARGETS, Target
from pipeline.settings.config import PipelineConfig, load_config
from tests.pipeline.cloud.rehearsal import toys


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> dict[str, Any]:
    """Compile the toy in `spec`, and record the config that it was compiled from."""
    seen: dict[str, Any] = {'spec': toys.spec()}
    results = 'pipeline.cloud.rehearsal.step_results.StepResults'
    monkeypatch.setattr(f'{results}.describe', lambda *_: 'a note')
    monkeypatch.chdir(tmp_path)

    def compile_toy(config: PipelineConfig, target: Target) -> CompiledPipeline:
        seen['config'] = config
        return toys.compiled(target, seen['spec'], pathlib.Path(str(config.cloud.pipeline_root)))

    monkeypatch.setattr(pipeline.cloud.compile, 'compile_pipeline', compile_toy)
    return seen


def _rehearse(
    target: Target, *, assignments: tuple[str, ...] = (), data: str = '', **how: Any
) -> None:
    options: dict[str, Any] = {
        'engine_name': 'process',
        'as_json': False,
        'quiet': False,
        'verbose': False,
        **how,
    }
    rehearse(
        load_config(preset='ngram', flags={'data.path': data or 'none', 'root': 'root'}),
        target,
        assignments=assignments,
        sample=not data,
        **options,
    )


@pytest.mark.parametrize('target', TARGETS)
def test_last_lines_and_log_of_a_failing_step_are_shown(
    target: Target, seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    code = 'print("about to"); raise KeyError("colour")'
    seen['spec']['deploymentSpec']['executors']['second'] = toys.container(code)
    with pytest.raises(StepFailedError, match="Second failed .* 1: KeyError: 'colour'") as failed:
        _rehearse(target)
    err = capfd.readouterr().err
    assert 'rehearsed for' in err
    assert '1/2  First' in err
    assert '2/2  Second' in err
    assert '  | about to\n' in err
    assert "  | KeyError: 'colour'\n" in err
    assert failed.value.exit_code == 5
    assert "KeyError: 'colour'" in pathlib.Path(failed.value.log).read_text()
    assert pathlib.Path(failed.value.log).name == 'Second.log'


def test_outcome_is_json_when_a_step_failed(
    seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    seen['spec']['deploymentSpec']['executors']['first'] = toys.container('raise SystemExit(9)')
    with pytest.raises(StepFailedError):
        _rehearse('kubeflow', as_json=True, quiet=True)
    out, err = capfd.readouterr()
    outcome = json.loads(out)
    assert outcome['outcome'] == 'failed'
    assert outcome['error'] == 'First failed with exit code 9'
    assert outcome['target'] == 'kubeflow'
    assert [(node['id'], node['state']) for node in outcome['nodes']] == [
        ('First', 'failed'),
        ('Second', 'skipped'),
    ]
    assert '1/2' not in err


def test_outcome_is_not_blessed_when_no_step_pushed(
    seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotBlessedError) as held_back:
        _rehearse('vertex')
    assert held_back.value.exit_code == 3
    out, err = capfd.readouterr()
    assert 'Not blessed: nothing was pushed' in out
    assert [line.rstrip().endswith('a note') for line in err.splitlines() if '/2 ' in line] == [
        True,
        True,
    ]


def test_unknown_parameter_is_refused_before_a_step_runs(
    seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="no run-time parameter 'colour'") as refused:
        _rehearse('vertex', assignments=('colour=red',))
    assert refused.value.log == ''
    assert '1/2' not in capfd.readouterr().err


def test_missing_data_is_refused_before_compiling(
    seen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(DataError, match=f'no such file or folder: {tmp_path}/other.csv'):
        _rehearse('kubeflow', data=str(tmp_path / 'other.csv'))
    assert 'config' not in seen


def test_image_is_needed_when_steps_run_in_containers(
    seen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(ConfigError, match='podman runs the steps in containers, and needs an im'):
        _rehearse('vertex', engine_name='podman')
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('target', TARGETS)
def test_everything_is_below_the_root(
    target: Target, seen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(NotBlessedError):
        _rehearse(target, quiet=True)
    config = seen['config']
    root = tmp_path / 'root'
    assert pathlib.Path(config.serving_dir).is_relative_to(root / target)
    assert config.data.path == str(root / 'data' / 'reviews.csv')
    if target == 'vertex':
        assert pathlib.Path(config.cloud.pipeline_root).is_relative_to(root / target)
    else:
        assert config.cloud.pipeline_root == 'minio://mlpipeline/v2/artifacts'
    assert os.listdir(tmp_path) == ['root']
