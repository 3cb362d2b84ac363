"""The pipeline under TFX's own runners: the checks at the push hold there, too."""

from __future__ import annotations

import json
import pathlib
import shutil
import sys

import pytest

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from examples.tfx_runners import compile_for_vertex, run_on_this_machine
from pipeline.cloud.compile import compile_pipeline
from pipeline.cloud.rules import require_valid
from pipeline.models.versions import live_version, versions
from pipeline.settings.config import PipelineConfig, load_config
from tests.conftest import snapshot
from tests.pipeline.cloud import golden
from tests.pipeline.store.conftest import QUICK, small_table

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')


def executions(config: PipelineConfig, node_id: str) -> list[str]:
    """Return the executions of a node that were not taken from the cache."""
    folder = config.pipeline_root / node_id / '.system' / 'executor_execution'
    return sorted(path.name for path in folder.iterdir())


def test_checks_at_the_push_hold_under_tfx_local_runner(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TFX's Beam nodes parse the arguments of the process, which are those of pytest here.
    monkeypatch.setattr(sys, 'argv', sys.argv[:1])
    flags = {'data.path': str(small_table(tmp_path / 'a.csv')), 'root': str(tmp_path / 'runs')}
    config = load_config(preset='ngram', flags=flags, settings=QUICK)
    serving = config.serving_path
    run_on_this_machine(config)
    first = live_version(serving)
    assert first is not None
    run_on_this_machine(config)
    assert versions(serving) == [first]
    assert len(executions(config, 'Evaluator')) == 1
    assert len(executions(config, 'Pusher')) == 2

    # A rollback withdrew the model.
    older = shutil.copytree(first, serving / '1')
    shutil.move(first, tmp_path / 'withdrawn')
    (older / 'assets' / 'older.txt').write_text('older')
    (older / 'assets.extra' / 'model.sha256').unlink()
    digest = digest_of_model(str(tmp_path / 'withdrawn'))
    write_withdrawals(str(serving), {digest: Withdrawal(first.name, 'today')})
    run_on_this_machine(config)
    assert versions(serving) == [older]
    assert len(executions(config, 'Evaluator')) == 2  # it has another baseline

    # The live version is damaged.
    (older / 'saved_model.pb').write_bytes(b'')
    before = snapshot(serving)
    with pytest.raises(StoreError, match='1 is damaged'):
        run_on_this_machine(config)
    assert snapshot(serving) == before


def test_nodes_equal_those_of_the_compile_command_under_tfx_runner_for_vertex(
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip('kfp', reason='needs the clients of the clouds: run `make cloud`')
    config = golden.config()
    compile_for_vertex(config, str(tmp_path / 'pipeline.json'))
    spec = json.loads((tmp_path / 'pipeline.json').read_text())['pipelineSpec']
    require_valid(spec, 'vertex')
    ours = compile_pipeline(config, 'vertex').spec
    assert spec['root']['dag']['tasks'].keys() == ours['root']['dag']['tasks'].keys()
    executors, of_ours = (each['deploymentSpec']['executors'] for each in (spec, ours))
    assert executors.keys() == of_ours.keys()
    for name, executor in executors.items():
        image, command = (executor['container'][key] for key in ('image', 'command'))
        assert (image, command) == tuple(
            of_ours[name]['container'][key] for key in ('image', 'command')
        )
