"""Runs whose baseline is a version that another root pushed."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from components.served_baseline.baseline import BaselineChangedError
from pipeline.store.artifacts import highest_execution
from pipeline.store.sqlite import BACKUP, METADATA
from tests.components.trainer.settings import with_model
from tests.conftest import snapshot
from tests.pipeline.store.conftest import RunRoot, SilentObserver, executed, note_of

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')


def live(serving: pathlib.Path) -> pathlib.Path:
    return max(path for path in serving.iterdir() if path.name.isdecimal())


def with_copied_versions(
    run_root: RunRoot, folder: pathlib.Path, root: pathlib.Path, *, drop: float, **model: float
) -> RunRoot:
    """Return a root with a serving folder of its own, which has the versions of another one."""
    config = run_root.config
    gate = {'max_accuracy_drop': drop, 'min_auc': 0.51}
    changes = {
        'root': str(root),
        'serving_dir': str(shutil.copytree(config.serving_path, folder / 'served')),
        'trainer': with_model(config.trainer, **model),
        'gate': config.gate.model_copy(update=gate),
    }
    return RunRoot(config.model_copy(update=changes), prefix='copy')


def test_worse_model_is_not_pushed_when_root_or_metadata_is_new(
    run_root: RunRoot, tmp_path: pathlib.Path
) -> None:
    # It meets all bounds but that of the baseline.
    worse = with_copied_versions(
        run_root, tmp_path, tmp_path / 'runs', drop=0.0, min_ngram_documents=20
    )
    serving = worse.config.serving_path
    before = snapshot(serving)
    note = f'the baseline is version {live(serving).name}, which is served'
    outcome = worse.run_without_error()
    assert outcome.outcome == 'not_blessed'
    assert note_of(outcome, 'ServedBaseline') == note
    assert outcome.pushed is None
    assert run_root.first is not None
    assert outcome.baseline is not None
    assert outcome.baseline['binary_accuracy'] == pytest.approx(
        run_root.first.metrics['binary_accuracy']
    )
    assert [(check.metric, check.passed) for check in outcome.thresholds] == [
        ('binary_accuracy', True),
        ('binary_accuracy', False),
        ('auc', True),
        ('test_overlap_percent', True),
        ('baseline_auc', True),
    ]
    assert '(baseline)' in outcome.thresholds[1].bound
    assert snapshot(serving) == before
    assert executed(worse.run_without_error()) == []

    artifacts = snapshot(worse.config.pipeline_root)
    last = highest_execution(worse.root)
    (worse.root / METADATA).unlink()
    (worse.root / BACKUP).write_bytes(b'')
    outcome = worse.run_without_error()
    assert outcome.outcome == 'not_blessed'
    assert len(executed(outcome)) == len(outcome.nodes)
    assert note_of(outcome, 'ServedBaseline') == note
    assert snapshot(serving) == before
    after = snapshot(worse.config.pipeline_root)
    assert {name: after[name] for name in artifacts} == artifacts
    assert int(worse.newest('SchemaGen/schema').name) > last
    assert executed(worse.run_without_error()) == []


def test_nothing_is_pushed_when_another_root_pushes_meanwhile(
    run_root: RunRoot, tmp_path: pathlib.Path
) -> None:
    # Their root is not needed here; in this one, only the model is not cached.
    better = with_copied_versions(run_root, tmp_path, run_root.root, drop=0.3, svm_cost=0.5)
    serving = better.config.serving_path
    theirs = serving / '9999999999'

    class Meanwhile(SilentObserver):
        def node_started(self, index: int, total: int, node_id: str) -> None:
            if node_id == 'Evaluator':  # the same, and so as good, but another model
                ignore = shutil.ignore_patterns('model.sha256')
                shutil.copytree(live(serving), theirs, ignore=ignore)
                (theirs / 'assets' / 'theirs.txt').write_text('theirs')

    better.observer = Meanwhile()
    outcome, error = better.run()
    assert isinstance(error, BaselineChangedError)
    assert 'to version 9999999999 during the run' in str(error)
    assert outcome.pushed is None
    assert live(serving) == theirs
    better.observer = SilentObserver()
    outcome = better.run_without_error()  # as the hint says
    assert 'version 9999999999, which is served' in note_of(outcome, 'ServedBaseline')
    assert outcome.outcome == 'pushed'
