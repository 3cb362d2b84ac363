"""The output and the exit code of a rehearsal, with a small pipeline."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

import pipeline.cloud.compile
from components.common.errors import ConfigError, DataError, NotBlessedError, StepFailedError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.rehearsal.rehearse import rehearse
from pipeline.cloud.targets import TARGETS, Target
from pipeline.settings.config import PipelineConfig, load_config
from tests.pipeline.cloud.rehearsal import small_pipelines


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> dict[str, Any]:
    """Compile the pipeline in `spec`, and record the config that it was compiled from."""
    seen: dict[str, Any] = {'spec': small_pipelines.spec()}
    monkeypatch.chdir(tmp_path)

    def compile_small(config: PipelineConfig, target: Target) -> CompiledPipeline:
        seen['config'] = config
        return small_pipelines.compiled(
            target, seen['spec'], pathlib.Path(str(config.cloud.pipeline_root))
        )

    monkeypatch.setattr(pipeline.cloud.compile, 'compile_pipeline', compile_small)
    return seen


def rehearse_small(
    target: Target, *, assignments: tuple[str, ...] = (), data: str = '', **how: Any
) -> None:
    options: dict[str, Any] = {'as_json': False, 'quiet': False, 'verbose': False, **how}
    rehearse(
        load_config(preset='ngram', flags={'data.path': data or 'none', 'root': 'root'}),
        target,
        assignments=assignments,
        sample=not data,
        engine_name='process',
        **options,
    )


@pytest.mark.parametrize('target', TARGETS)
def test_last_lines_and_log_of_a_failing_step_are_shown(
    target: Target, seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    code = 'print("about to"); raise KeyError("color")'
    seen['spec']['deploymentSpec']['executors']['second'] = small_pipelines.container(code)
    with pytest.raises(StepFailedError, match="Second failed .* 1: KeyError: 'color'") as failed:
        rehearse_small(target)
    err = capfd.readouterr().err
    assert 'rehearsed for' in err
    assert '1/2  First' in err
    assert '2/2  Second' in err
    assert '  | about to\n' in err
    assert "  | KeyError: 'color'\n" in err
    assert failed.value.exit_code == 5
    assert "KeyError: 'color'" in pathlib.Path(failed.value.log).read_text()
    assert pathlib.Path(failed.value.log).name == 'Second.log'


def test_outcome_is_json_when_a_step_failed(
    seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    seen['spec']['deploymentSpec']['executors']['first'] = small_pipelines.container(
        'raise SystemExit(9)'
    )
    with pytest.raises(StepFailedError):
        rehearse_small('kubeflow', as_json=True, quiet=True)
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
        rehearse_small('vertex')
    assert held_back.value.exit_code == 3
    out = capfd.readouterr().out
    assert 'Not blessed: nothing was pushed' in out


def test_unknown_parameter_is_refused_before_a_step_runs(
    seen: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="no run-time parameter 'color'") as refused:
        rehearse_small('vertex', assignments=('color=red',))
    assert refused.value.log == ''
    assert '1/2' not in capfd.readouterr().err


def test_missing_data_is_refused_before_compiling(
    seen: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(DataError, match=f'no such file or folder: {tmp_path}/other.csv'):
        rehearse_small('kubeflow', data=str(tmp_path / 'other.csv'))
    assert 'config' not in seen
