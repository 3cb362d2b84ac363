"""Publishing a model: complete versions, or a serving folder that is unchanged."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tfx.dsl.io.filesystem import NotFoundError
from tfx.utils import io_utils

from components.common.errors import ComponentError
from components.common.model_versions import CARD_PATH, DIGEST_PATH, digest_of_model
from components.common.serving_lock import LOCK_FILE, serving_lock
from components.pusher import publish
from tests.conftest import REPO

FILES = {
    'saved_model.pb': b'graph',
    'fingerprint.pb': b'',
    'variables/variables.index': b'\0\1',
    'variables/variables.data-00000-of-00001': bytes(range(256)) * 1_000,
    'assets/words': 'Wörter\n'.encode(),
    'assets.extra/labels.json': b'["neg", "pos"]\n',
}
CARD = '# Ein Modell für Texte\n'
_PARTS = b''.join(
    name.encode() + b'\0' + hashlib.sha256(FILES[name]).digest() for name in sorted(FILES)
)
DIGEST = hashlib.sha256(_PARTS).hexdigest()
PUSHED = {**FILES, CARD_PATH: CARD.encode(), DIGEST_PATH: f'{DIGEST}\n'.encode()}


def write(folder: pathlib.Path) -> pathlib.Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def content(folder: pathlib.Path) -> dict[str, bytes | None]:
    """Return what is in a folder, hidden files and empty folders included, but not the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob('*'))
        if path.name != LOCK_FILE
    }


def files(folder: pathlib.Path) -> dict[str, bytes]:
    return {name: data for name, data in content(folder).items() if data is not None}


def push(model: pathlib.Path, serving: str | pathlib.Path) -> str:
    """Push as the Pusher does."""
    with serving_lock(str(serving)):
        return publish.publish(str(model), str(serving), CARD, digest=digest_of_model(str(model)))


@pytest.fixture
def model(tmp_path: pathlib.Path) -> pathlib.Path:
    return write(tmp_path / 'model')


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return a folder with a version, and entries that are not versions."""
    folder = tmp_path / 'serving'
    write(folder / '7')
    write(folder / 'old-9999999999')
    (folder / 'models.config').write_text('# of the server\n')
    return folder


def test_version_holds_the_model_when_it_is_pushed(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    before = content(serving)
    start = int(time.time())
    version = pathlib.Path(push(model, serving))
    assert version.parent == serving
    assert start <= int(version.name) <= time.time()
    assert files(version) == PUSHED
    assert files(model) == FILES
    shutil.rmtree(version)
    assert content(serving) == before


def test_versions_increase_when_they_are_pushed_in_the_same_second(
    model: pathlib.Path, serving: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, 'time', lambda: 1_800_000_000.9)
    names = [os.path.basename(push(model, serving)) for _ in range(3)]
    assert names == ['1800000000', '1800000001', '1800000002']


@pytest.mark.parametrize('make', [write, pathlib.Path.mkdir, pathlib.Path.touch])
def test_version_number_is_the_highest_when_an_existing_one_is_in_the_future(
    make: Callable[[pathlib.Path], object], model: pathlib.Path, serving: pathlib.Path
) -> None:
    make(serving / '99999999999')
    before = content(serving)
    version = pathlib.Path(push(model, serving))
    assert version.name == '100000000000'
    shutil.rmtree(version)
    assert content(serving) == before


def vanish(model: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if a file was removed after copytree listed the folder.
    (model / 'variables' / 'variables.index').unlink()
    (model / 'variables' / 'variables.index').symlink_to('gone')


def fail_to(name: str) -> Callable[[pathlib.Path, pytest.MonkeyPatch], None]:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    return lambda model, monkeypatch: monkeypatch.setattr(os, name, fail)


@pytest.mark.parametrize(
    ('break_it', 'message'),
    [
        (vanish, 'No such file'),
        (fail_to('fsync'), 'Input/output error'),
        (fail_to('rename'), 'Input/output error'),
    ],
    ids=['file_vanishes', 'sync_fails', 'rename_fails'],
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
            push(model, serving)
    assert content(serving) == before
    again = write(model.with_name('another'))
    assert files(pathlib.Path(push(again, serving))) == PUSHED


def test_model_is_not_pushed_when_it_changes_during_the_copy(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    before = content(serving)
    digest = digest_of_model(str(model))
    (model / 'variables' / 'variables.index').write_bytes(b'\0\2')
    with pytest.raises(ComponentError, match='changed while it was copied'):
        publish.publish(str(model), str(serving), CARD, digest=digest)
    assert content(serving) == before


# Pushes a model, and prints the path of its version.
PUSH = """
import os, sys, time
from components.pusher.publish import publish
from components.common.model_versions import digest_of_model
from components.common.serving_lock import serving_lock
model, serving, start = sys.argv[1:4]
while time.time() < float(start):
    pass
with serving_lock(serving):
    print(publish(model, serving, '# card', digest=digest_of_model(model)))
"""


def start_push(
    model: pathlib.Path, serving: pathlib.Path, at: float = 0, **options: Any
) -> subprocess.Popen[str]:
    command = [sys.executable, '-c', PUSH, str(model), str(serving), str(at)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPO, stdout=pipe, stderr=pipe, text=True, **options)


def test_each_process_gets_a_version_when_they_push_in_the_same_second(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    at = time.time() + 2
    done = [process.communicate() for process in [start_push(model, serving, at) for _ in '1234']]
    versions = {out.strip() for out, _ in done}
    assert len(versions) == 4, done
    # No other entries, except the lock and those from before.
    assert len(list(serving.iterdir())) == 4 + 4
    expected = {**PUSHED, CARD_PATH: b'# card'}
    assert all(files(pathlib.Path(version)) == expected for version in versions)


def test_nothing_is_left_when_the_system_refuses_a_large_file(
    model: pathlib.Path, serving: pathlib.Path
) -> None:
    before = content(serving)
    limits = (resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))
    process = start_push(model, serving, preexec_fn=lambda: resource.setrlimit(*limits))
    _, err = process.communicate()
    assert process.returncode == 1
    assert 'File too large' in err
    assert content(serving) == before


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
    versions = [push(model, remote) for _ in range(2)]
    first, second = (int(version.removeprefix(f'{remote}/')) for version in versions)
    assert first < second
    assert [remote_files(version) for version in versions] == [PUSHED, PUSHED]


def test_saved_model_is_copied_last_when_the_folder_is_remote(
    model: pathlib.Path, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[dict[str, bytes]] = []
    copy_file = io_utils.copy_file

    def look_then_copy(source: str, destination: str) -> None:
        there.append(remote_files(destination.removesuffix('/saved_model.pb')))
        copy_file(source, destination)

    monkeypatch.setattr(io_utils, 'copy_file', look_then_copy)
    push(model, remote)
    assert there[-1] == {name: data for name, data in PUSHED.items() if name != 'saved_model.pb'}


def test_model_is_not_pushed_to_a_remote_folder_when_it_changes_during_the_copy(
    model: pathlib.Path, remote: str
) -> None:
    with pytest.raises(ComponentError, match='changed while it was copied'):
        publish.publish(str(model), remote, CARD, digest='0' * 64)
    assert tf.io.gfile.listdir(remote) == []


def test_nothing_is_left_in_a_remote_folder_when_the_push_fails(
    model: pathlib.Path, remote: str
) -> None:
    (model / 'saved_model.pb').unlink()  # so that its copy, the last one, fails
    with pytest.raises(NotFoundError, match='^$'):  # TFX drops the message
        push(model, remote)
    assert tf.io.gfile.listdir(remote) == []
