from __future__ import annotations

import concurrent.futures
import errno
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.evaluator import constants
from tfx.dsl.io.filesystem import NotFoundError
from tfx.types import channel_utils, standard_artifacts

from components.pusher import executor
from components.pusher.component import make_pusher
from components.settings import TextSettings, TrainerSettings
from tests.components.pusher.evaluations import SUMMARY, write_evaluation

FILES = {
    'saved_model.pb': b'graph',
    'fingerprint.pb': b'',
    'variables/variables.index': b'\0\1',
    'variables/variables.data-00000-of-00001': bytes(range(256)) * 1_000,
    'assets/words': 'Wörter\n'.encode(),
    'assets.extra/labels.json': b'["neg", "pos"]\n',
    'assets.extra/settings.json': json.dumps(
        {
            'trainer': TrainerSettings(architecture='ngram').model_dump(),
            'text': TextSettings().model_dump(),
        }
    ).encode(),
}
CARD = '# Ein Modell für Texte\n'
CARD_PATH = 'assets.extra/model_card.md'
PUSHED = {**FILES, CARD_PATH: CARD.encode()}


def write(folder: pathlib.Path) -> pathlib.Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def content(folder: pathlib.Path) -> dict[str, bytes | None]:
    """Return what is in a folder, hidden files and empty folders included."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob('*'))
    }


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if data is not None}


@pytest.fixture
def model(tmp_path: pathlib.Path) -> pathlib.Path:
    return write(tmp_path / 'model')


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a folder with a version, one being pushed elsewhere, and things that are none."""
    folder = tmp_path / 'serving'
    write(folder / '7')
    write(folder / '.0123.part')
    write(folder / 'old-9999999999')
    (folder / 'models.config').write_text('# of the server\n')
    return folder


def test_version_holds_the_model_when_it_is_pushed(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    before = content(serving)
    start = int(time.time())
    version = pathlib.Path(executor.push(str(model), str(serving), CARD))
    assert version.parent == serving
    assert start <= int(version.name) <= time.time()
    assert files(version) == PUSHED
    assert files(model) == FILES
    shutil.rmtree(version)
    assert content(serving) == before


def test_folder_is_made_when_it_is_the_first_version(
    model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    version = executor.push(str(model), str(tmp_path / 'a' / 'b'), CARD)
    assert [str(path) for path in (tmp_path / 'a' / 'b').iterdir()] == [version]


def test_versions_increase_when_they_are_pushed_in_the_same_second(
    model: pathlib.Path, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, 'time', lambda: 1_800_000_000.9)
    names = [os.path.basename(executor.push(str(model), str(serving), CARD)) for _ in range(3)]
    assert names == ['1800000000', '1800000001', '1800000002']


@pytest.mark.parametrize('kind', ['version', 'empty folder', 'file'])
def test_version_is_larger_than_any_when_one_is_in_the_future(
    kind: str, model: pathlib.Path, serving: pathlib.Path
) -> None:
    future = serving / '99999999999'
    if kind == 'file':
        future.write_bytes(b'')
    elif kind == 'empty folder':
        future.mkdir()
    else:
        write(future)
    before = content(serving)
    version = pathlib.Path(executor.push(str(model), str(serving), CARD))
    assert version.name == '100000000000'
    shutil.rmtree(version)
    assert content(serving) == before


def vanish(model: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What copytree finds when a file goes between listing and copying.
    (model / 'variables' / 'variables.index').unlink()
    (model / 'variables' / 'variables.index').symlink_to('gone')


def fill_the_disk(model: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copytree(source: str, target: str) -> None:
        shutil.copytree_(os.path.join(source, 'assets'), os.path.join(target, 'assets'))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, 'copytree_', shutil.copytree, raising=False)
    monkeypatch.setattr(shutil, 'copytree', copytree)


def fail_to(name: str) -> Callable[[pathlib.Path, pytest.MonkeyPatch], None]:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    return lambda model, monkeypatch: monkeypatch.setattr(os, name, fail)


@pytest.mark.parametrize(
    ('break_it', 'message'),
    [
        (vanish, 'No such file'),
        (fill_the_disk, 'No space left'),
        (fail_to('fsync'), 'Input/output error'),
        (fail_to('rename'), 'Input/output error'),
    ],
    ids=['file_vanishes', 'disk_is_full', 'sync_fails', 'rename_fails'],
)
def test_serving_folder_stays_as_it_was_when_a_push_fails(
    break_it: Callable[[pathlib.Path, pytest.MonkeyPatch], None],
    message: str,
    model: pathlib.Path,
    serving: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = content(serving)
    with monkeypatch.context() as broken:
        break_it(model, broken)
        with pytest.raises(OSError, match=message):
            executor.push(str(model), str(serving), CARD)
    assert content(serving) == before
    again = write(model.with_name('another'))
    assert files(pathlib.Path(executor.push(str(again), str(serving), CARD))) == PUSHED


def test_all_versions_are_complete_when_pushes_run_at_once(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(executor.push, [str(model)] * 8, [str(serving)] * 8, [CARD] * 8))
    assert len(set(versions)) == 8
    assert all(files(pathlib.Path(version)) == PUSHED for version in versions)
    assert len(list(serving.iterdir())) == 4 + 8


@pytest.fixture
def remote(tmp_path: pathlib.Path) -> str:
    """Return a folder in memory that only TensorFlow's file system reaches, as with a bucket."""
    return f'ram://{tmp_path.name}/serving'


def remote_files(version: str) -> dict[str, bytes]:
    # No walk: TensorFlow's ram:// takes assets.extra for a part of assets.
    paths = {name: f'{version}/{name}' for name in PUSHED}
    return {
        name: tf.io.gfile.GFile(path, 'rb').read()
        for name, path in paths.items()
        if tf.io.gfile.exists(path)
    }


def test_versions_are_complete_when_the_folder_is_remote(model: pathlib.Path, remote: str) -> None:
    versions = [executor.push(str(model), remote, CARD) for _ in range(2)]
    first, second = (int(version.removeprefix(f'{remote}/')) for version in versions)
    assert first < second
    assert [remote_files(version) for version in versions] == [PUSHED, PUSHED]


def test_all_else_is_there_first_when_saved_model_goes_to_a_remote_folder(
    model: pathlib.Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[dict[str, bytes]] = []
    copy_file = executor.io_utils.copy_file

    def look_then_copy(source: str, destination: str) -> None:
        there.append(remote_files(destination.removesuffix('/saved_model.pb')))
        copy_file(source, destination)

    monkeypatch.setattr(executor.io_utils, 'copy_file', look_then_copy)
    executor.push(str(model), remote, CARD)
    assert there[-1] == {name: data for name, data in PUSHED.items() if name != 'saved_model.pb'}


def test_nothing_is_left_in_a_remote_folder_when_the_push_fails(
    model: pathlib.Path, remote: str
) -> None:
    (model / 'saved_model.pb').unlink()  # so that its copy, the last one, fails
    with pytest.raises(NotFoundError, match='^$'):  # TFX drops the message
        executor.push(str(model), remote, CARD)
    assert tf.io.gfile.listdir(remote) == []


def push_artifacts(
    folder: pathlib.Path, serving: pathlib.Path, *, blessed: bool, accuracy: float = 0.9
) -> standard_artifacts.PushedModel:
    """Run the node on the artifacts of an ExampleGen, a Trainer and an Evaluator."""
    model, blessing, evaluation, examples, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelBlessing(),
        standard_artifacts.ModelEvaluation(),
        standard_artifacts.Examples(),
        standard_artifacts.PushedModel(),
    )
    model.uri = str(folder / 'trained')
    write(folder / 'trained' / 'Format-Serving')
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(blessed))
    evaluation.uri, examples.uri = str(folder / 'evaluation'), str(folder / 'examples')
    write_evaluation(folder / 'evaluation', accuracy)
    (folder / 'examples').mkdir(exist_ok=True)
    SUMMARY.write(examples.uri)
    examples.set_string_custom_property('spans', '2 spans 3 to 4')
    node = make_pusher(
        channel_utils.as_channel([model]),
        channel_utils.as_channel([blessing]),
        str(serving),
        evaluation=channel_utils.as_channel([evaluation]),
        examples=channel_utils.as_channel([examples]),
        name='sentiment',
        fingerprint='f1',
    )
    assert node.id == 'Pusher'
    inputs = {
        'model': [model],
        'model_blessing': [blessing],
        'evaluation': [evaluation],
        'examples': [examples],
    }
    node.executor_spec.executor_class().Do(
        inputs, {'pushed_model': [pushed]}, dict(node.exec_properties)
    )
    return pushed


def test_artifact_names_the_version_when_the_model_is_blessed(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    (serving / '7' / 'assets' / 'words').write_text('others')
    pushed = push_artifacts(tmp_path, serving, blessed=True)
    version = pathlib.Path(pushed.get_string_custom_property('pushed_destination'))
    assert pushed.get_int_custom_property('pushed') == 1
    assert pushed.get_string_custom_property('pushed_version') == version.name
    assert version.parent == serving
    found = files(version)
    card = found.pop(CARD_PATH).decode()
    assert found == FILES
    assert card.startswith('# Model card: sentiment\n')
    for fact in ('| accuracy | 0.9000 | >= 0.8000 ', '2 spans 3 to 4', '`a/*.csv`', '`f1`'):
        assert fact in card


def test_nothing_is_written_when_the_model_is_not_blessed(
    tmp_path: pathlib.Path, serving: pathlib.Path
) -> None:
    before = content(serving)
    pushed = push_artifacts(tmp_path, serving, blessed=False)
    assert pushed.get_int_custom_property('pushed') == 0
    assert not pushed.has_custom_property('pushed_destination')
    assert content(serving) == before


def test_folder_is_not_even_made_when_the_model_is_not_blessed(tmp_path: pathlib.Path) -> None:
    push_artifacts(tmp_path, tmp_path / 'serving', blessed=False)
    assert not (tmp_path / 'serving').exists()


def test_no_version_is_added_when_the_model_is_live_already(tmp_path: pathlib.Path) -> None:
    serving = tmp_path / 'serving'
    first = push_artifacts(tmp_path, serving, blessed=True)
    before = content(serving)
    again = push_artifacts(tmp_path, serving, blessed=True, accuracy=0.8)
    assert content(serving) == before
    destination = 'pushed_destination'
    assert again.get_int_custom_property('pushed') == 1
    assert again.get_string_custom_property(destination) == first.get_string_custom_property(
        destination
    )
    assert len(list(serving.iterdir())) == 1


def test_version_is_added_when_another_one_was_pushed_after_it(tmp_path: pathlib.Path) -> None:
    serving = tmp_path / 'serving'
    first = push_artifacts(tmp_path, serving, blessed=True)
    other = write(tmp_path / 'other')
    (other / 'assets' / 'words').write_text('other')
    executor.push(str(other), str(serving), CARD)
    again = push_artifacts(tmp_path, serving, blessed=True)
    assert again.get_string_custom_property('pushed_version') != first.get_string_custom_property(
        'pushed_version'
    )
    assert len(list(serving.iterdir())) == 3
