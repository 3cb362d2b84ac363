"""What is served becomes the baseline where ML Metadata does not know it."""

from __future__ import annotations

import pathlib
import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib

from components.common.errors import StoreError
from components.served_baseline.strategy import adopted_version
from pipeline.local import leftovers
from pipeline.local.lock import BusyError
from pipeline.report.lineage import Lineage
from pipeline.store import adoption, copies, metadata_file
from tests.conftest import snapshot
from tests.pipeline.store.conftest import Silent, Workshop, executed, note_of
from tests.pipeline.store.recorded import Root, write_model


def test_baseline_is_the_live_version_when_metadata_knows_none(root: Root) -> None:
    root.serve(16, 'older')
    root.serve(17, 'served')
    before = snapshot(root.config.serving_path)
    baseline = root.adopt()
    assert baseline is not None
    assert adopted_version(baseline) == '17'
    assert snapshot(pathlib.Path(baseline.uri)) == {
        'Format-Serving/saved_model.pb': before['17/saved_model.pb']
    }
    assert before.items() <= snapshot(root.config.serving_path).items()
    # Lineage and doctor know it, and that no run made it.
    lineage = Lineage(root.backend.reader())
    names = {a.type: (node, a) for node, a in lineage.latest_outputs()}
    assert names['Model'][0] == 'sentiment.ServedModel'
    assert names['Model'][1].uri == baseline.uri
    assert names['ModelBlessing'][0] == 'sentiment.ServedModel'
    assert lineage.run_that_made(names['Model'][1]) is None


def test_nothing_is_adopted_again_when_it_was_adopted_before(root: Root) -> None:
    root.serve(17, 'served')
    first, second = root.adopt(), root.adopt()
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert len(root.executions()) == 1


def test_live_version_is_adopted_when_the_model_that_it_was_is_lost(root: Root) -> None:
    root.bless('older')
    best = root.bless('best')
    root.serve(17, 'best')
    root.adopt()
    assert root.baseline_id() == best.id
    shutil.rmtree(best.uri)
    baseline = root.adopt()
    assert baseline is not None
    assert adopted_version(baseline) == '17'


def test_live_version_is_adopted_when_another_root_pushed_it_over_ours(root: Root) -> None:
    root.bless('ours')
    root.serve(16, 'ours')
    root.serve(17, 'theirs')
    baseline = root.adopt()
    assert baseline is not None
    assert adopted_version(baseline) == '17'
    later = root.bless('later')
    root.serve(18, 'later')
    root.adopt()
    assert root.baseline_id() == later.id


def test_nothing_is_adopted_when_an_older_model_of_ours_is_live(root: Root) -> None:
    root.bless('older')
    latest = root.bless('latest')
    root.serve(17, 'older')
    root.adopt()
    assert root.baseline_id() == latest.id
    assert root.executions() == []


def test_live_version_is_adopted_anew_when_another_root_pushed_one(root: Root) -> None:
    root.serve(17, 'served')
    root.adopt()
    root.serve(18, 'served later')
    baseline = root.adopt()
    assert baseline is not None
    assert adopted_version(baseline) == '18'


@pytest.mark.parametrize('served', [None, 'candidate'])
def test_there_is_no_baseline_when_nothing_is_served_or_the_candidate_itself(
    served: str | None, root: Root
) -> None:
    if served is not None:
        root.serve(17, served)
    assert root.adopt() is None
    assert root.executions() == []


def test_there_is_no_baseline_when_the_candidate_was_served_and_is_damaged(root: Root) -> None:
    path = root.serve(17, 'candidate')
    (path / 'saved_model.pb').write_text('candidatf')
    assert root.adopt() is None  # the Pusher pushes it again


@pytest.mark.parametrize('with_card', [True, False])
def test_run_stops_when_the_live_version_is_damaged(with_card: bool, root: Root) -> None:
    path = root.serve(17, 'served')
    if with_card:
        (path / 'saved_model.pb').write_text('servee')
    else:  # then only loading it can tell
        shutil.rmtree(path / 'assets.extra')
    with pytest.raises(StoreError, match=f'{path}, which is live, is damaged') as caught:
        root.adopt()
    assert f'rm -r {path}: ' in caught.value.hint
    assert root.executions() == []
    shutil.rmtree(path)  # what the hint says
    root.serve(16, 'older')
    baseline = root.adopt()
    assert baseline is not None
    assert adopted_version(baseline) == '16'


def test_it_is_put_back_when_the_adopted_model_is_damaged(root: Root) -> None:
    root.serve(17, 'served')
    baseline = root.adopt()
    assert baseline is not None
    before = snapshot(pathlib.Path(baseline.uri))
    pathlib.Path(baseline.uri, 'Format-Serving', 'saved_model.pb').write_text('servee')
    assert root.check().startswith('put back from version 17: ')
    assert snapshot(pathlib.Path(baseline.uri)) == before


def test_nothing_is_left_when_the_model_cannot_be_copied(root: Root) -> None:
    root.serve(17, 'served')
    folder = root.config.pipeline_root / adoption.NODE_ID
    folder.mkdir()
    (folder / 'model').write_text('in the way')
    with pytest.raises(FileExistsError, match='model'):
        root.adopt()
    (execution,) = root.executions()
    assert execution.last_known_state == execution.FAILED
    assert [path.name for path in folder.rglob('*') if path.is_file()] == ['model']
    (folder / 'model').unlink()
    assert root.adopt() is not None


def test_next_run_clears_it_when_the_process_was_killed_amid_the_copy(root: Root) -> None:
    with root.metadata as handle:
        context = context_lib.register_context_if_not_exists(handle, 'pipeline', root.config.name)
        kind = metadata_store_pb2.ExecutionType(name=adoption.NODE_ID)
        execution = execution_publish_utils.register_execution(handle, kind, [context])
    folder = root.config.pipeline_root / adoption.NODE_ID
    write_model(folder / '.system' / 'copying' / str(execution.id), 'ser')
    write_model(folder / 'model' / str(execution.id), 'served')
    config = root.config
    assert leftovers.clear(root.backend, config.pipeline_root, config.name) == 1
    assert [path for path in folder.rglob('*') if path.is_file()] == []


class TestRun:
    """Runs with a worse model than the one that is served, which meets all other bounds."""

    @pytest.fixture
    def worse(self, workshop: Workshop, tmp_path: pathlib.Path) -> Workshop:
        """A new root beside a copy of what the workshop serves."""
        serving = shutil.copytree(workshop.config.serving_path, tmp_path / 'served')
        config = workshop.config
        return Workshop(
            config.model_copy(
                update={
                    'root': str(tmp_path / 'runs'),
                    'serving_dir': str(serving),
                    'trainer': config.trainer.model_copy(update={'min_ngram_documents': 20}),
                    'gate': config.gate.model_copy(
                        update={'max_accuracy_drop': 0.0, 'min_auc': 0.51}
                    ),
                }
            )
        )

    def test_worse_model_is_not_pushed_when_root_or_metadata_is_new(self, worse: Workshop) -> None:
        serving = worse.config.serving_path
        before = snapshot(serving)
        live = max(path.name for path in serving.iterdir() if path.name.isdecimal())
        note = f'baseline is the served version {live}, which ML Metadata did not know'
        outcome, error = worse.run()
        assert error is None
        assert outcome.outcome == 'not_blessed'
        assert note_of(outcome, 'BaselineResolver') == note
        missed = [check for check in outcome.thresholds if not check.passed]
        assert ['(baseline)' in check.bound for check in missed] == [True]
        assert snapshot(serving) == before
        again, error = worse.run()
        assert error is None
        assert executed(again) == []
        assert note_of(again, 'BaselineResolver') == note
        for name in (metadata_file.METADATA, copies.COPY):
            (worse.root / name).unlink()
        anew, error = worse.run()
        assert error is None
        assert anew.outcome == 'not_blessed'
        assert note_of(anew, 'BaselineResolver') == note
        assert snapshot(serving) == before

    def test_nothing_is_pushed_when_another_root_pushes_meanwhile(
        self, worse: Workshop, workshop: Workshop
    ) -> None:
        other = workshop.config
        better = Workshop(other.model_copy(update={
            'root': worse.config.root,
            'serving_dir': worse.config.serving_dir,
            'gate': other.gate.model_copy(update={'max_accuracy_drop': 0.3}),
            'trainer': other.trainer.model_copy(update={'svm_cost': 0.5}),
        }))  # fmt: skip
        serving = better.config.serving_path
        theirs = serving / '9999999999'

        class Meanwhile(Silent):
            def node_started(self, index: int, total: int, node_id: str) -> None:
                if node_id == 'Evaluator':  # the same, and so as good, but another model
                    (live,) = (path for path in serving.iterdir() if path.name.isdecimal())
                    shutil.copytree(live, theirs, ignore=shutil.ignore_patterns('model_card.md'))
                    (theirs / 'assets' / 'theirs.txt').write_text('theirs')

        better.observer = Meanwhile()
        outcome, error = better.run()
        assert isinstance(error, BusyError)
        assert 'is 9999999999' in str(error)
        assert outcome.pushed is None
        assert max(path.name for path in serving.iterdir()) == theirs.name
        better.observer = Silent()
        outcome, error = better.run()  # what the hint says
        assert error is None
        told = note_of(outcome, 'BaselineResolver')
        assert told == 'baseline is the served version 9999999999, which ML Metadata did not know'
        assert outcome.outcome == 'pushed'
