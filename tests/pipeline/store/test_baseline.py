"""Runs whose baseline is a version that another root pushed, or that is damaged."""

from __future__ import annotations

import pathlib
import shutil

from components.common.errors import StoreError
from components.served_baseline.baseline import BaselineChangedError
from pipeline.store import metadata_file
from pipeline.store.sqlite import BACKUP
from tests.components.trainer.settings import with_model
from tests.conftest import snapshot
from tests.pipeline.store.conftest import Silent, Workshop, executed, note_of


def live(serving: pathlib.Path) -> pathlib.Path:
    return max(path for path in serving.iterdir() if path.name.isdecimal())


def beside(
    workshop: Workshop, folder: pathlib.Path, *, drop: float, **model: float
) -> Workshop:
    """Return a new root beside a copy of what the workshop serves."""
    config = workshop.config
    gate = {'max_accuracy_drop': drop, 'min_auc': 0.51}
    return Workshop(
        config.model_copy(
            update={
                'root': str(folder / 'runs'),
                'serving_dir': str(
                    shutil.copytree(workshop.config.serving_path, folder / 'served')
                ),
                'trainer': with_model(config.trainer, **model),
                'gate': config.gate.model_copy(update=gate),
            }
        )
    )


def test_worse_model_is_not_pushed_when_root_or_metadata_is_new(
    workshop: Workshop, tmp_path: pathlib.Path
) -> None:
    # It meets all bounds but that of the baseline.
    worse = beside(workshop, tmp_path, drop=0.0, min_ngram_documents=20)
    serving = worse.config.serving_path
    before = snapshot(serving)
    note = f'the baseline is version {live(serving).name}, which is served'
    outcome, error = worse.run()
    assert error is None
    assert outcome.outcome == 'not_blessed'
    assert note_of(outcome, 'ServedBaseline') == note
    missed = [check for check in outcome.thresholds if not check.passed]
    assert ['(baseline)' in check.bound for check in missed] == [True]
    assert snapshot(serving) == before
    again, error = worse.run()
    assert error is None
    assert executed(again) == []
    for name in (metadata_file.METADATA, BACKUP):
        (worse.root / name).unlink()
    anew, error = worse.run()
    assert error is None
    assert anew.outcome == 'not_blessed'
    assert note_of(anew, 'ServedBaseline') == note
    assert snapshot(serving) == before


def test_nothing_is_pushed_when_another_root_pushes_meanwhile(
    workshop: Workshop, tmp_path: pathlib.Path
) -> None:
    better = beside(workshop, tmp_path, drop=0.3, svm_cost=0.5)
    serving = better.config.serving_path
    theirs = serving / '9999999999'

    class Meanwhile(Silent):
        def node_started(self, index: int, total: int, node_id: str) -> None:
            if node_id == 'Evaluator':  # the same, and so as good, but another model
                ignore = shutil.ignore_patterns('model_card.md')
                shutil.copytree(live(serving), theirs, ignore=ignore)
                (theirs / 'assets' / 'theirs.txt').write_text('theirs')

    better.observer = Meanwhile()
    outcome, error = better.run()
    assert isinstance(error, BaselineChangedError)
    assert 'is now 9999999999' in str(error)
    assert outcome.pushed is None
    assert live(serving) == theirs
    better.observer = Silent()
    outcome, error = better.run()  # what the hint says
    assert error is None
    told = note_of(outcome, 'ServedBaseline')
    assert told == 'the baseline is version 9999999999, which is served'
    assert outcome.outcome == 'pushed'


def test_run_stops_when_the_live_version_is_damaged(
    workshop: Workshop, tmp_path: pathlib.Path
) -> None:
    other = beside(workshop, tmp_path, drop=0.3, svm_cost=0.5)
    version = live(other.config.serving_path)
    (path,) = version.glob('**/variables.data*')
    path.write_bytes(path.read_bytes()[:-1])
    before = snapshot(other.config.serving_path)
    outcome, error = other.run()
    assert isinstance(error, StoreError)
    assert f'the served version {version} is damaged' in str(error)
    assert outcome.state_of('ServedBaseline') == 'failed'
    assert snapshot(other.config.serving_path) == before
    shutil.rmtree(version)  # what the hint says
    outcome, error = other.run()
    assert error is None
    assert outcome.outcome == 'pushed'
    assert outcome.state_of('Trainer') == 'cached'
