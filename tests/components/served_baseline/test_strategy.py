from __future__ import annotations

import pathlib
import shutil
from typing import Any

import ml_metadata as mlmd
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver
from tfx.types import Artifact, channel_utils
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.common.errors import DataError
from components.common.model_versions import digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from components.served_baseline.component import make_baseline_resolver
from components.served_baseline.strategy import LatestBlessedBaselineStrategy

NOTHING: dict[str, list[int]] = {'candidate': [], 'model': [], 'model_blessing': []}


class History:
    """A real metadata store, and what runs have put into it.

    Args:
        folder: Where models go.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(folder / 'metadata.sqlite')
        self.store = mlmd.MetadataStore(config)
        self.serving = folder / 'serving'
        self._folder = folder
        self._models: list[Artifact] = []
        self._blessings: list[Artifact] = []
        evaluator = metadata_store_pb2.ExecutionType(name='Evaluator')
        self._evaluator = self.store.put_execution_type(evaluator)

    def train(self, *, adopted: str = '') -> Artifact:
        """Record a model, possibly one that was served as a version."""
        model = Model()
        if adopted:
            model.set_string_custom_property('adopted_version', adopted)
        model.uri = str(self._folder / f'model-{len(self._models)}')
        saved = pathlib.Path(model.uri, 'Format-Serving')
        saved.mkdir(parents=True)
        (saved / 'saved_model.pb').write_text(model.uri)
        self._models.append(self._put(model))
        return model

    def evaluate(self, model: Artifact, *, blessed: bool = True) -> Artifact:
        """Record an execution of the Evaluator."""
        blessing = ModelBlessing()
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
        self._blessings.append(self._put(blessing))
        self.execute(blessing)
        return blessing

    def execute(
        self,
        blessing: Artifact,
        state: Any = metadata_store_pb2.Execution.COMPLETE,
        event: Any = metadata_store_pb2.Event.OUTPUT,
    ) -> None:
        """Record an execution that has to do with `blessing`."""
        execution = metadata_store_pb2.Execution(type_id=self._evaluator, last_known_state=state)
        (execution_id,) = self.store.put_executions([execution])
        self.store.put_events(
            [
                metadata_store_pb2.Event(
                    artifact_id=blessing.id, execution_id=execution_id, type=event
                )
            ]
        )

    def resolve(self, candidate: Artifact) -> dict[str, list[int]]:
        """Return the ids of what the strategy finds, among all there is, newest first."""
        found = LatestBlessedBaselineStrategy(str(self.serving)).resolve_artifacts(
            self.store,
            {
                'candidate': [candidate],
                'model': self._models[::-1],
                'model_blessing': self._blessings[::-1],
            },
        )
        return {key: [artifact.id for artifact in artifacts] for key, artifacts in found.items()}

    def _put(self, artifact: Artifact) -> Artifact:
        artifact.type_id = self.store.put_artifact_type(artifact.artifact_type)
        (artifact.id,) = self.store.put_artifacts([artifact.mlmd_artifact])
        return artifact


@pytest.fixture
def history(tmp_path: pathlib.Path) -> History:
    return History(tmp_path)


def found(model: Artifact, blessing: Artifact) -> dict[str, list[int]]:
    return {'candidate': [], 'model': [model.id], 'model_blessing': [blessing.id]}


def test_baseline_is_empty_when_nothing_was_evaluated(history: History) -> None:
    history.train()
    assert history.resolve(history.train()) == NOTHING


def test_baseline_is_empty_when_nothing_was_blessed(history: History) -> None:
    history.evaluate(history.train(), blessed=False)
    assert history.resolve(history.train()) == NOTHING


def test_baseline_is_the_latest_when_several_were_blessed(history: History) -> None:
    history.evaluate(history.train())
    latest = history.train()
    blessing = history.evaluate(latest)
    history.evaluate(history.train(), blessed=False)
    assert history.resolve(history.train()) == found(latest, blessing)


def test_baseline_is_the_one_before_when_the_candidate_was_blessed_itself(history: History) -> None:
    before, candidate = history.train(), history.train()
    blessing = history.evaluate(before)
    history.evaluate(candidate)
    assert history.resolve(candidate) == found(before, blessing)


def test_baseline_is_empty_when_only_the_candidate_was_blessed(history: History) -> None:
    candidate = history.train()
    history.evaluate(candidate)
    assert history.resolve(candidate) == NOTHING


def test_baseline_is_the_one_blessed_last_when_another_was_trained_last(history: History) -> None:
    early, late = history.train(), history.train()
    history.evaluate(late)
    blessing = history.evaluate(early)
    assert history.resolve(history.train()) == found(early, blessing)


def test_baseline_is_the_one_blessed_last_when_its_blessing_came_from_the_cache(
    history: History,
) -> None:
    early, late = history.train(), history.train()
    blessing = history.evaluate(early)
    history.evaluate(late)
    history.execute(blessing, metadata_store_pb2.Execution.CACHED)
    assert history.resolve(history.train()) == found(early, blessing)


@pytest.mark.parametrize('event', ['INPUT', 'INTERNAL_OUTPUT', 'PENDING_OUTPUT'])
def test_baseline_stays_when_a_later_node_only_used_another_blessing(
    event: str, history: History
) -> None:
    other = history.evaluate(history.train())
    latest = history.train()
    blessing = history.evaluate(latest)
    # The Pusher reads it, the resolver finds it, or a run was killed over it.
    history.execute(other, event=metadata_store_pb2.Event.Type.Value(event))
    assert history.resolve(history.train()) == found(latest, blessing)


def test_baseline_is_the_one_before_when_the_folder_of_the_latest_is_gone(
    history: History,
) -> None:
    before, latest = history.train(), history.train()
    blessing = history.evaluate(before)
    history.evaluate(latest)
    shutil.rmtree(latest.uri)
    assert history.resolve(history.train()) == found(before, blessing)


def test_adopted_model_counts_when_nothing_else_was_blessed(history: History) -> None:
    adopted = history.train(adopted='17')
    blessing = history.evaluate(adopted)
    candidate = history.train()
    history.evaluate(candidate)
    assert history.resolve(candidate) == found(adopted, blessing)


def test_adopted_model_counts_as_blessed_when_it_was_adopted(history: History) -> None:
    history.evaluate(history.train())
    adopted = history.train(adopted='17')
    blessing = history.evaluate(adopted)
    assert history.resolve(history.train()) == found(adopted, blessing)
    after = history.train()
    blessing = history.evaluate(after)
    assert history.resolve(history.train()) == found(after, blessing)


def test_model_counts_when_it_was_refused_first_and_blessed_later(history: History) -> None:
    model = history.train()
    history.evaluate(model, blessed=False)
    blessing = history.evaluate(model)
    assert history.resolve(history.train()) == found(model, blessing)


def saved_model(model: Artifact) -> pathlib.Path:
    return pathlib.Path(model.uri, 'Format-Serving')


def test_baseline_is_what_is_served_when_a_rollback_withdrew_what_was_blessed_later(
    history: History,
) -> None:
    old, bad = history.train(), history.train()
    blessing = history.evaluate(old)
    bad_blessing = history.evaluate(bad)
    digest = digest_of_model(str(saved_model(bad)))
    shutil.copytree(saved_model(old), history.serving / '1')
    write_withdrawals(str(history.serving), {digest: Withdrawal('2', '2026-11-25')})
    assert history.resolve(history.train()) == found(old, blessing)
    # It is live all the same: then it is what candidates are compared with.
    shutil.copytree(saved_model(bad), history.serving / '2')
    assert history.resolve(history.train()) == found(bad, bad_blessing)


def test_run_stops_when_it_cannot_be_read_what_is_withdrawn(history: History) -> None:
    history.evaluate(history.train())
    history.serving.mkdir()
    (history.serving / '.withdrawn.json').write_text('{"')
    with pytest.raises(DataError, match=r'\.withdrawn\.json cannot be read'):
        history.resolve(history.train())


def test_node_has_this_strategy_when_it_is_made() -> None:
    node = make_baseline_resolver(channel_utils.as_channel([Model()]), 'runs/serving/sentiment')
    assert node.id == 'BaselineResolver'
    assert node.exec_properties[resolver.RESOLVER_STRATEGY_CLASS] is LatestBlessedBaselineStrategy
    assert set(node.outputs) == set(NOTHING)
