"""Damaged files of artifacts are detected, and the next run replaces them."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest

from components.common.errors import StoreError
from pipeline.store import artifacts
from pipeline.store.artifacts import ArtifactKeeper, manifest_path
from tests.listening import is_loopback
from tests.pipeline.store.conftest import CANARY, RunRoot, executed, note_of

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')

NODES_AFTER = {
    'ExampleGen': ['ExampleGen', 'StatisticsGen', 'ExampleValidator', 'Transform', 'Trainer'],
    'Trainer': ['Trainer'],
    'Evaluator': ['Evaluator'],
}


class StoredArtifact(NamedTuple):
    uri: str


@pytest.fixture
def keeper(tmp_path: pathlib.Path) -> ArtifactKeeper:
    return ArtifactKeeper(tmp_path)


@pytest.fixture
def folder(keeper: ArtifactKeeper, tmp_path: pathlib.Path) -> pathlib.Path:
    """An artifact whose files are recorded."""
    path = tmp_path / 'artifacts' / 'x' / 'Node' / 'output' / '7'
    (path / 'sub').mkdir(parents=True)
    (path / 'a').write_bytes(b'0123456789')
    (path / 'sub' / 'b').write_bytes(b'')
    keeper.keep({'output': [StoredArtifact(str(path))]})
    return path


def delete(path: pathlib.Path) -> None:
    path.unlink()


def flip(path: pathlib.Path) -> None:
    """Change one byte, but neither size nor time of modification."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def copy_without_times(folder: pathlib.Path) -> None:
    copy = shutil.copytree(folder, f'{folder}-copy', copy_function=shutil.copyfile)
    shutil.rmtree(folder)
    shutil.move(copy, folder)


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (lambda folder: None, None),
        (copy_without_times, None),
        (lambda folder: (folder / 'a').unlink(), r'/a was deleted$'),
        (lambda folder: shutil.rmtree(folder / 'sub'), r'/sub/b was deleted$'),
        (shutil.rmtree, r'/7 was deleted$'),
        (lambda folder: os.truncate(folder / 'a', 4), r'/a has 4 bytes, was written with 10$'),
        (lambda folder: (folder / 'a').write_bytes(b'0123456780'), r'/a was changed$'),
        (lambda folder: flip(folder / 'a'), r'/a was changed$'),
        (lambda folder: (folder / 'c').touch(), r'/c was added$'),
        (lambda folder: (folder / 'a').unlink() or (folder / 'a').mkdir(), r'/a has [\d,]+ bytes'),
    ],
)
def test_first_difference_is_returned(
    change: Callable[[pathlib.Path], None],
    expected: str | None,
    keeper: ArtifactKeeper,
    folder: pathlib.Path,
) -> None:
    change(folder)
    found = keeper.damage(folder)
    assert found is None if expected is None else re.search(expected, str(found))
    assert keeper.damage(folder, thorough=True) == found


def test_bytes_of_a_large_artifact_are_compared_only_when_the_check_is_thorough(
    keeper: ArtifactKeeper, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, '_COMPARED_BYTES', 9)
    flip(folder / 'a')
    assert keeper.damage(folder) is None
    assert str(keeper.damage(folder, thorough=True)).endswith('/a was changed')


def test_only_a_deleted_folder_is_found_when_there_is_no_manifest(
    keeper: ArtifactKeeper, folder: pathlib.Path
) -> None:
    path = manifest_path(folder)
    assert path is not None
    path.unlink()
    (folder / 'a').unlink()
    assert keeper.damage(folder) is None
    shutil.rmtree(folder)
    assert keeper.damage(folder) == f'{folder} was deleted'


@pytest.mark.parametrize('content', [b'', b'[]', b'{"a": 1}', b'{"a": {"size": "x"}}', b'\xff'])
def test_manifest_is_reported_when_it_is_damaged(
    content: bytes, keeper: ArtifactKeeper, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'manifests' / 'x' / 'Node' / 'output' / '7.json'
    path.write_bytes(content)
    assert keeper.damage(folder) == f'{path}, the record of the files in {folder}, cannot be read'


@pytest.mark.parametrize(
    ('output', 'pattern', 'damage', 'expected'),
    [
        ('ExampleGen/examples', 'Split-val/*.gz', delete, 'was deleted'),
        ('Trainer/model', '**/variables.data*', flip, 'was changed'),
        ('Evaluator/blessing', 'BLESSED', delete, 'was deleted'),
    ],
)
def test_node_is_executed_again_when_its_cached_output_is_damaged(
    output: str,
    pattern: str,
    damage: Callable[[pathlib.Path], None],
    expected: str,
    run_root: RunRoot,
) -> None:
    (path,) = run_root.newest(output).glob(pattern)
    damage(path)
    outcome = run_root.run_without_error()
    assert outcome.outcome == 'pushed'
    node = output.partition('/')[0]
    note = note_of(outcome, node)
    assert note.startswith(f'executed again: {path.relative_to(run_root.config.pipeline_root)} ')
    assert expected in note
    assert executed(outcome)[: len(NODES_AFTER[node])] == NODES_AFTER[node]
    assert executed(run_root.run()[0]) == []


def test_file_and_command_are_named_when_a_node_fails_on_damaged_input(
    run_root: RunRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the artifact were so large that only times and sizes are compared.
    monkeypatch.setattr(artifacts, '_COMPARED_BYTES', 0)
    (path,) = run_root.newest('ExampleGen/examples').glob('Split-train/*.gz')
    flip(path)
    _, error = run_root.run(again=['Transform'])
    assert isinstance(error, StoreError)
    assert 'Transform failed: an output of ExampleGen that it reads is damaged: ' in str(error)
    assert f'{path} was changed' in str(error)
    assert error.hint == 'run the same command with --again ExampleGen'
    repaired = run_root.run_without_error(again=['ExampleGen'])  # as the hint says
    assert repaired.outcome == 'pushed'
    assert executed(repaired)[:5] == NODES_AFTER['ExampleGen']
    assert 'executed again' not in note_of(repaired, 'ExampleGen')


def test_no_file_contains_the_token_when_it_is_in_the_environment(run_root: RunRoot) -> None:
    files = [path for path in run_root.root.rglob('*') if path.is_file()]
    assert len(files) > 30
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_process_listens_on_loopback_only_when_a_node_runs(run_root: RunRoot) -> None:
    # While a node runs, TFX listens for remote executors.
    assert run_root.listened_at
    assert all(is_loopback(address) for address in run_root.listened_at)
