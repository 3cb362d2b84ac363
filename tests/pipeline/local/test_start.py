from __future__ import annotations

import json
import pathlib

import pytest

from components.common.errors import ConfigError
from pipeline.local.start import begun
from pipeline.settings.config import load_config
from tests.conftest import SAMPLE


def two_workers(index: int) -> str:
    task = {'type': 'worker', 'index': index}
    return json.dumps({'cluster': {'worker': ['a:1', 'b:2']}, 'task': task})


@pytest.mark.parametrize(
    ('tf_config', 'message'),
    [(None, 'TF_CONFIG: it is not set'), (two_workers(1), 'this is worker 1')],
)
def test_run_with_several_workers_does_not_begin_when_it_is_not_the_chief(
    tf_config: str | None, message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv('TF_CONFIG', raising=False)
    if tf_config is not None:
        monkeypatch.setenv('TF_CONFIG', tf_config)
    config = load_config(
        preset='tutorial',
        flags={'data.path': str(SAMPLE), 'root': str(tmp_path / 'runs')},
        settings=['trainer.distribution=multi_worker'],
    )
    with pytest.raises(ConfigError, match=message), begun(config, wait=False, quiet=True):
        pytest.fail('it began')
    assert not list(tmp_path.iterdir())
