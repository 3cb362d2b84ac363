"""A candidate is compared with the model that counts, whole, or the run stops."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
from tfx.types import Artifact

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from pipeline.local.lock import BusyError
from pipeline.store.baseline import require_latest, require_same_live
from tests.pipeline.store.recorded import Root


def saved(model: Artifact) -> pathlib.Path:
    return pathlib.Path(model.uri, 'Format-Serving')


def test_the_one_before_counts_when_the_model_blessed_last_is_lost(root: Root) -> None:
    older, latest = root.bless('older'), root.bless('latest')
    assert root.check() == ''
    assert root.baseline_id() == latest.id
    shutil.rmtree(latest.uri)
    told = root.check()
    assert told.startswith('the model blessed last is lost: ')
    assert latest.uri in told
    assert root.baseline_id() == older.id


def test_run_stops_when_the_one_before_is_damaged(root: Root) -> None:
    older, latest = root.bless('older'), root.bless('latest')
    shutil.rmtree(latest.uri)
    (saved(older) / 'saved_model.pb').write_text('oldes')
    with pytest.raises(StoreError, match=f'is damaged: {older.uri}'):
        root.check()
    root.serve(17, 'older')
    assert 'put back from version 17: ' in root.check()
    assert (saved(older) / 'saved_model.pb').read_text() == 'older'


def moved(root: Root, model: Artifact, to: pathlib.Path) -> pathlib.Path:
    """Have a model be that of another root, which cannot be reached."""
    origin = to / 'runs'
    folder = origin / pathlib.Path(model.uri).relative_to(root.config.root_path)
    with root.metadata as handle:
        (stored,) = handle.store.get_artifacts_by_id([model.id])
        stored.uri = str(folder)
        handle.store.put_artifacts([stored])
    return origin


@pytest.mark.parametrize('mounted_on', [True, False])
def test_run_stops_when_a_model_blessed_later_cannot_be_reached(
    mounted_on: bool, root: Root, tmp_path: pathlib.Path
) -> None:
    older = root.bless('older')
    origin = moved(root, root.bless('theirs'), tmp_path / 'anna')
    shutil.rmtree(root.bless('lost').uri)
    if mounted_on:  # the empty folder that another one's root is mounted on
        origin.mkdir(parents=True)
    with pytest.raises(StoreError, match='below a root that cannot be reached') as caught:
        root.check(shared=True)
    hint = f'mkdir -p {origin} && touch {origin}/gone says so, and the one blessed before counts'
    assert caught.value.hint.endswith(hint)
    origin.mkdir(parents=True, exist_ok=True)
    (origin / 'gone').touch()
    assert root.check(shared=True).count('the model blessed last is lost: ') == 2
    assert root.baseline_id() == older.id


class TestRequireLatest:
    """What is looked at right before a push, where roots share a store."""

    def require(self, root: Root, *compared_with: Any) -> None:
        with root.metadata as handle:
            require_latest(
                handle.store,
                root.config.name,
                [root.candidate],
                root.config.serving_path,
                compared_with=compared_with,
            )

    def test_run_stops_when_another_model_was_blessed_meanwhile(self, root: Root) -> None:
        before = root.bless('before')
        self.require(root, before)
        theirs = root.bless('theirs')
        with pytest.raises(BusyError, match=f'blessed a model meanwhile, {theirs.uri}'):
            self.require(root, before)
        shutil.rmtree(theirs.uri)
        (root.config.root_path / 'root.id').touch()
        self.require(root, before)

    @pytest.mark.parametrize('content', ['before', 'candidate'])
    def test_push_goes_on_when_the_same_model_was_blessed_meanwhile(
        self, content: str, root: Root
    ) -> None:
        before = root.bless('before')
        root.bless(content)
        self.require(root, before)

    def test_run_stops_when_a_rollback_withdrew_what_it_was_compared_with(
        self, root: Root
    ) -> None:
        root.bless('older')
        withdrawn = root.bless('withdrawn')
        serving = root.config.serving_path
        serving.mkdir()
        digest = digest_of_model(str(saved(withdrawn)))
        write_withdrawals(str(serving), {digest: Withdrawal('17', 'today')})
        with pytest.raises(BusyError, match='a rollback withdrew the model that this one was'):
            self.require(root, withdrawn)


class TestRequireSameLive:
    """What is looked at right before each push."""

    def test_run_stops_when_another_version_is_live_than_before(self, root: Root) -> None:
        before, candidate = root.serve(16, 'before'), saved(root.candidate)
        require_same_live(before, before, candidate)
        require_same_live(None, None, candidate)
        theirs = root.serve(17, 'theirs')
        with pytest.raises(BusyError, match='live version was 16 when .* chosen, and is 17'):
            require_same_live(theirs, before, candidate)
        with pytest.raises(BusyError, match='live version was 16 when .* chosen, and is none'):
            require_same_live(None, before, candidate)

    def test_push_goes_on_when_the_candidate_itself_is_live(self, root: Root) -> None:
        require_same_live(root.serve(17, 'candidate'), None, saved(root.candidate))
