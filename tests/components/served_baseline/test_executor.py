"""The baseline is the complete served model, and never the candidate itself."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import pytest
from tfx.types import channel_utils
from tfx.types.standard_artifacts import Model

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from components.served_baseline.baseline import (
    NO_BASELINE_FILE,
    BaselineChangedError,
    ServedVersion,
    find_baseline,
    is_absent,
    read_baseline,
    require_baseline,
)
from components.served_baseline.component import make_served_baseline


def write_model(folder: pathlib.Path, weights: str) -> pathlib.Path:
    (folder / 'variables').mkdir(parents=True)
    (folder / 'saved_model.pb').write_text('graph')
    (folder / 'variables' / 'weights').write_text(weights)
    return folder


def write_version(folder: pathlib.Path, weights: str) -> pathlib.Path:
    """Write a model with its digest, as the Pusher does."""
    write_model(folder, weights)
    digest = digest_of_model(str(folder))
    (folder / 'assets.extra').mkdir()
    (folder / 'assets.extra' / 'model.sha256').write_text(digest)
    return folder


def resolve(tmp_path: pathlib.Path, serving: pathlib.Path, candidate_weights: str) -> pathlib.Path:
    """Run the node; return the folder of its output."""
    candidate, baseline = Model(), Model()
    candidate.uri, baseline.uri = str(tmp_path / 'candidate'), str(tmp_path / 'baseline')
    write_model(tmp_path / 'candidate' / 'Format-Serving', candidate_weights)
    node = make_served_baseline(channel_utils.as_channel([candidate]), str(serving))
    assert node.id == 'ServedBaseline'
    node.executor_spec.executor_class().Do(
        {'candidate': [candidate]}, {'model': [baseline]}, dict(node.exec_properties)
    )
    return tmp_path / 'baseline'


def weights(baseline: pathlib.Path) -> str:
    return (baseline / 'Format-Serving' / 'variables' / 'weights').read_text()


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two versions, of which 10 is live, an unfinished one, and other entries."""
    folder = tmp_path / 'serving'
    write_version(folder / '9', 'old')
    write_version(folder / '10', 'new')
    write_model(folder / '.0123.part', 'unfinished')
    (folder / '11').mkdir()
    (folder / 'notes.txt').write_text('')
    return folder


def test_baseline_is_a_copy_of_the_live_version(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    digest = digest_of_model(str(serving / '10'))
    baseline = resolve(tmp_path, serving, 'candidate')
    # The Evaluator can read it even if the version is deleted.
    shutil.rmtree(serving)
    assert weights(baseline) == 'new'
    assert not is_absent(str(baseline))
    assert read_baseline(str(baseline)) == ServedVersion('10', digest)


def test_baseline_is_the_previous_version_when_the_candidate_is_live(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    assert weights(resolve(tmp_path, serving, 'new')) == 'old'


@pytest.mark.parametrize('content', ['no_folder', 'nothing', 'no_model', 'the_candidate'])
def test_baseline_is_absent_when_no_other_model_is_served(
    content: str, tmp_path: pathlib.Path
) -> None:
    serving = tmp_path / 'served'
    if content != 'no_folder':
        serving.mkdir()
    if content == 'no_model':
        (serving / '3').mkdir()
    if content == 'the_candidate':
        write_version(serving / '3', 'candidate')
    baseline = resolve(tmp_path, serving, 'candidate')
    assert is_absent(str(baseline))
    assert read_baseline(str(baseline)) is None
    assert [path.name for path in baseline.iterdir()] == [NO_BASELINE_FILE]


@pytest.mark.parametrize(('candidate', 'baseline'), [('newest', 'new'), ('new', 'older')])
def test_baseline_is_never_a_withdrawn_version_when_there_was_a_rollback(
    candidate: str, baseline: str, tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    write_version(serving / '8', 'older')
    write_version(serving / '12', 'new')  # a rollback from a version that was pruned
    digest = digest_of_model(str(serving / '9'))
    write_withdrawals(str(serving), {digest: Withdrawal('9', '2026-11-25')})
    assert weights(resolve(tmp_path, serving, candidate)) == baseline


def remove_digest(version: pathlib.Path) -> None:
    # Only loading the model can show damage then, and this is none that can be loaded.
    shutil.rmtree(version / 'assets.extra')


def change_weights(version: pathlib.Path) -> None:
    (version / 'variables' / 'weights').write_text('nev')


def make_file_a_folder(version: pathlib.Path) -> None:
    (version / 'assets.extra' / 'model.sha256').unlink()
    (version / 'assets.extra' / 'model.sha256').mkdir()


@pytest.mark.parametrize('harm', [remove_digest, change_weights, make_file_a_folder])
def test_run_stops_when_the_live_version_is_damaged(
    harm: Callable[[pathlib.Path], None], tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    harm(serving / '10')
    with pytest.raises(StoreError, match=f'the served version {serving}/10 is damaged') as caught:
        resolve(tmp_path, serving, 'candidate')
    assert f'rm -r {serving}/10: ' in caught.value.hint
    shutil.rmtree(serving / '10')  # what the hint says
    shutil.rmtree(tmp_path / 'candidate')
    assert weights(resolve(tmp_path, serving, 'candidate')) == 'old'


def test_damaged_version_is_skipped_when_it_is_the_candidate(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    change_weights(serving / '10')
    # The Pusher pushes the candidate again.
    assert weights(resolve(tmp_path, serving, 'new')) == 'old'


def test_baseline_is_the_live_version_when_the_candidate_has_an_additional_file(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    candidate = write_model(tmp_path / 'candidate', 'new')
    (candidate / 'more').write_text('')
    found = find_baseline(str(serving), str(candidate))
    assert found is not None
    assert found.version == '10'


class TestRequireBaseline:
    """What the Pusher checks: whether the candidate was compared with what counts now."""

    @pytest.fixture
    def candidate(self, tmp_path: pathlib.Path) -> pathlib.Path:
        return write_model(tmp_path / 'candidate', 'candidate')

    @pytest.fixture
    def compared(self, serving: pathlib.Path) -> ServedVersion:
        return ServedVersion('10', digest_of_model(str(serving / '10')))

    @pytest.mark.parametrize('served', ['nothing else', 'the same as 12', 'the candidate'])
    def test_push_continues_when_the_live_model_is_the_baseline_or_the_candidate(
        self, served: str, candidate: pathlib.Path, serving: pathlib.Path, compared: ServedVersion
    ) -> None:
        content = {'the same as 12': 'new', 'the candidate': 'candidate'}
        if served in content:
            write_version(serving / '12', content[served])
        require_baseline(str(serving), str(candidate), compared)

    def test_push_stops_when_another_version_is_live(
        self, candidate: pathlib.Path, serving: pathlib.Path, compared: ServedVersion
    ) -> None:
        write_version(serving / '12', 'theirs')
        message = 'the baseline changed from version 10 to version 12'
        with pytest.raises(BaselineChangedError, match=message) as caught:
            require_baseline(str(serving), str(candidate), compared)
        assert caught.value.exit_code == 2
        with pytest.raises(BaselineChangedError, match='the baseline changed from none to version'):
            require_baseline(str(serving), str(candidate), None)

    def test_push_stops_when_a_rollback_withdrew_the_baseline(
        self, candidate: pathlib.Path, serving: pathlib.Path, compared: ServedVersion
    ) -> None:
        write_version(serving / '12', 'old')  # what a rollback to 9 makes
        write_withdrawals(str(serving), {compared.digest: Withdrawal('10', 'today')})
        with pytest.raises(BaselineChangedError, match='from version 10 to version 12'):
            require_baseline(str(serving), str(candidate), compared)

    def test_push_stops_when_the_baseline_is_removed_or_damaged(
        self, candidate: pathlib.Path, serving: pathlib.Path, compared: ServedVersion
    ) -> None:
        change_weights(serving / '10')
        with pytest.raises(StoreError, match='10 is damaged'):
            require_baseline(str(serving), str(candidate), compared)
        shutil.rmtree(serving / '10')
        with pytest.raises(BaselineChangedError, match='from version 10 to version 9'):
            require_baseline(str(serving), str(candidate), compared)
