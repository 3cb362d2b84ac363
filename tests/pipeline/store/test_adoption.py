"""What is served becomes the baseline where ML Metadata knows of none."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import execution_publish_utils
from tfx.orchestration.portable.mlmd import context_lib
from tfx.types import Artifact
from tfx.types.standard_artifacts import Model

from components.baseline_resolver.strategy import LatestBlessedBaselineStrategy, adopted_version
from components.errors import StoreError
from components.served_models import digest_of_model
from pipeline import leftovers
from pipeline.config import PipelineConfig, load_config
from pipeline.report.lineage import Lineage
from pipeline.store import adoption, copies, metadata_file
from pipeline.store.adoption import adopt_served
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.baseline import known_models, latest_blessed, require_whole
from pipeline.store.choice import backend_of
from tests.conftest import snapshot
from tests.pipeline.store.conftest import Workshop, executed, note_of


class Root:
    """A new root with real metadata, in which a candidate was trained, and what is served.

    A model is one file, since nothing here loads it.

    Args:
        folder: For all of it.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        flags = {
            'data.path': '-',
            'root': str(folder / 'runs'),
            'serving_dir': str(folder / 'served'),
        }
        self.config: PipelineConfig = load_config(preset='ngram', flags=flags, settings=())
        self.keeper = ArtifactKeeper(self.config.root_path)
        self.config.pipeline_root.mkdir(parents=True)
        self.backend = backend_of(self.config)
        self.metadata = metadata.Metadata(self.backend.connection())
        self.candidate = self.train('candidate')

    def train(self, content: str) -> Artifact:
        """Record a model, as the Trainer does."""
        with self.metadata as handle:
            context = context_lib.register_context_if_not_exists(
                handle, 'pipeline', self.config.name
            )
            kind = metadata_store_pb2.ExecutionType(name='Trainer')
            execution = execution_publish_utils.register_execution(handle, kind, [context])
            model = Model()
            model.uri = str(self.config.pipeline_root / f'Trainer/model/{execution.id}')
            write_model(pathlib.Path(model.uri, 'Format-Serving'), content)
            published, _ = execution_publish_utils.publish_succeeded_execution(
                handle, execution.id, [context], {'model': [model]}
            )
        (trained,) = published['model']
        return trained

    def serve(self, version: int, content: str) -> pathlib.Path:
        """Push a model, from wherever."""
        path = self.config.serving_path / str(version)
        write_model(path, content)
        (path / 'assets.extra').mkdir()
        card = f'SHA-256 of the model, over its files: `{digest_of_model(str(path))}`'
        (path / 'assets.extra' / 'model_card.md').write_text(card)
        return path

    def adopt(self) -> Artifact | None:
        """Adopt, if need be; return the baseline that the resolver finds then."""
        with self.metadata as handle:
            own = self.backend.own_context(self.config.name)
            adopt_served(handle, self.config, self.keeper, [self.candidate], own)
            strategy = LatestBlessedBaselineStrategy(str(self.config.serving_path))
            known = known_models(handle.store, self.config.name, [self.candidate])
            return next(iter(strategy.resolve_artifacts(handle.store, known)['model']), None)

    def executions(self) -> list[Any]:
        """Return the executions that adopted something, or tried to."""
        with self.metadata as handle:
            return list(handle.store.get_executions_by_type(adoption.NODE_ID))


def write_model(folder: pathlib.Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / 'saved_model.pb').write_text(content)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> Root:
    return Root(tmp_path)


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
    with root.metadata as handle:
        model = latest_blessed(
            handle.store, root.config.name, [root.candidate], root.config.serving_path
        )
    told = require_whole(model, root.keeper, root.config.root_path, root.config.serving_path)
    assert told.startswith('put back from version 17: ')
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
        note = f'baseline is the served version {live}: ML Metadata knew no blessed model'
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
