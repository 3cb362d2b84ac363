from __future__ import annotations

import pathlib
import shutil

import pytest
from tfx.types import channel_utils
from tfx.types.standard_artifacts import Model

from components.common.model_versions import digest_of_model
from components.common.rollback_state import Withdrawal, write_withdrawals
from components.served_baseline.component import make_served_baseline
from components.served_baseline.executor import NO_BASELINE_FILE, find_baseline, is_absent


def write_model(folder: pathlib.Path, weights: str) -> pathlib.Path:
    (folder / 'variables').mkdir(parents=True)
    (folder / 'saved_model.pb').write_text('graph')
    (folder / 'variables' / 'weights').write_text(weights)
    return folder


def resolve(tmp_path: pathlib.Path, serving: pathlib.Path, candidate_weights: str) -> pathlib.Path:
    """Run the node; return the folder of its output."""
    candidate, baseline = Model(), Model()
    candidate.uri, baseline.uri = str(tmp_path / 'candidate'), str(tmp_path / 'baseline')
    write_model(tmp_path / 'candidate' / 'Format-Serving', candidate_weights)
    node = make_served_baseline(channel_utils.as_channel([candidate]), str(serving))
    assert node.id == 'BaselineResolver'
    node.executor_spec.executor_class().Do(
        {'candidate': [candidate]}, {'model': [baseline]}, dict(node.exec_properties)
    )
    return tmp_path / 'baseline'


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two versions, of which 10 is live, one that is being pushed, and other things."""
    folder = tmp_path / 'serving'
    write_model(folder / '9', 'old')
    write_model(folder / '10', 'new')
    write_model(folder / '.0123.part', 'unfinished')
    (folder / '11').mkdir()
    (folder / 'notes.txt').write_text('')
    return folder


def test_baseline_is_a_copy_of_what_is_served_when_there_is_something(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    baseline = resolve(tmp_path, serving, 'candidate')
    # Whatever becomes of the version, the Evaluator has it.
    shutil.rmtree(serving)
    assert (baseline / 'Format-Serving' / 'variables' / 'weights').read_text() == 'new'
    assert not is_absent(str(baseline))


def test_baseline_is_the_version_before_when_the_candidate_is_served_already(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    baseline = resolve(tmp_path, serving, 'new')
    assert (baseline / 'Format-Serving' / 'variables' / 'weights').read_text() == 'old'


@pytest.mark.parametrize('content', ['no_folder', 'nothing', 'no_model', 'the_candidate'])
def test_baseline_is_absent_when_the_serving_folder_has(
    content: str, tmp_path: pathlib.Path
) -> None:
    serving = tmp_path / 'served'
    if content != 'no_folder':
        serving.mkdir()
    if content == 'no_model':
        (serving / '3').mkdir()
    if content == 'the_candidate':
        write_model(serving / '3', 'candidate')
    baseline = resolve(tmp_path, serving, 'candidate')
    assert is_absent(str(baseline))
    assert [path.name for path in baseline.iterdir()] == [NO_BASELINE_FILE]


@pytest.mark.parametrize(('candidate', 'baseline'), [('newest', 'new'), ('new', 'older')])
def test_baseline_is_not_withdrawn_when_there_was_a_rollback(
    candidate: str, baseline: str, tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    write_model(serving / '8', 'older')
    write_model(serving / '12', 'new')  # a rollback from a version that was pruned
    digest = digest_of_model(str(serving / '9'))
    write_withdrawals(str(serving), {digest: Withdrawal('9', '2026-11-25')})
    found = resolve(tmp_path, serving, candidate)
    assert (found / 'Format-Serving' / 'variables' / 'weights').read_text() == baseline


def test_model_is_another_when_it_has_a_file_more(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    candidate = write_model(tmp_path / 'candidate', 'new')
    (candidate / 'more').write_text('')
    assert find_baseline(str(serving), str(candidate)) == str(serving / '10')


def test_model_is_the_same_when_it_was_pushed_with_a_card(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    (serving / '10' / 'assets.extra').mkdir()
    (serving / '10' / 'assets.extra' / 'model_card.md').write_text('# Model card\n')
    candidate = write_model(tmp_path / 'candidate', 'new')
    assert find_baseline(str(serving), str(candidate)) == str(serving / '9')
    assert digest_of_model(str(candidate)) == digest_of_model(str(serving / '10'))
    assert digest_of_model(str(candidate)) != digest_of_model(str(serving / '9'))
