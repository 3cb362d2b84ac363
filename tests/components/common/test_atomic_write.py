from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from components.common.atomic_write import (
    atomic_file,
    atomic_write,
    clear_unfinished,
    remove_parts,
)
from components.common.errors import ComponentError


@pytest.fixture(params=['same folder', 'other folder'])
def part_dir(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str | None:
    return None if request.param == 'same folder' else str(tmp_path / 'unfinished')


def file_names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.rglob('*') if path.is_file())


def test_file_is_replaced_when_the_block_ends(tmp_path: pathlib.Path, part_dir: str | None) -> None:
    path = tmp_path / 'file'
    path.write_text('old')
    with atomic_file(path, part_dir=part_dir) as part:
        pathlib.Path(part).write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert file_names(tmp_path) == ['file']


def test_file_is_unchanged_when_the_block_raises(
    tmp_path: pathlib.Path, part_dir: str | None
) -> None:
    path = tmp_path / 'file'
    atomic_write(path, 'old', part_dir=part_dir)

    def fail() -> None:
        with atomic_file(path, part_dir=part_dir) as part:
            pathlib.Path(part).write_text('incomplete')
            raise ValueError('failed')

    with pytest.raises(ValueError, match='failed'):
        fail()
    assert path.read_text() == 'old'
    assert file_names(tmp_path) == ['file']


def test_file_is_complete_when_two_writers_write_at_once(
    tmp_path: pathlib.Path, part_dir: str | None
) -> None:
    path = tmp_path / 'file'
    with atomic_file(path, part_dir=part_dir) as part:
        pathlib.Path(part).write_text('1' * 10)
        atomic_write(path, '2' * 5, part_dir=part_dir)
        assert path.read_text() == '2' * 5
    assert path.read_text() == '1' * 10


def test_file_is_replaced_when_it_is_remote(tmp_path: pathlib.Path) -> None:
    folder = f'ram://{tmp_path.name}'
    for content in ('old', 'new'):
        atomic_write(f'{folder}/output/file', content, part_dir=f'{folder}/unfinished')
    with tf.io.gfile.GFile(f'{folder}/output/file') as file:
        assert file.read() == 'new'
    assert tf.io.gfile.listdir(f'{folder}/output') == ['file']
    clear_unfinished(f'{folder}/unfinished', 'Node')
    assert not tf.io.gfile.exists(f'{folder}/unfinished')


def test_parts_are_removed_when_their_writers_were_killed(tmp_path: pathlib.Path) -> None:
    killed, other = atomic_file(tmp_path / 'a[1]'), atomic_file(tmp_path / 'b')
    for writer in (killed, other):
        pathlib.Path(writer.__enter__()).touch()
    remove_parts(tmp_path / 'a[1]')
    (left,) = file_names(tmp_path)
    assert left.startswith('.b.')


def test_unfinished_files_are_removed_when_an_attempt_was_killed(tmp_path: pathlib.Path) -> None:
    unfinished = tmp_path / 'unfinished'
    writer = atomic_file(tmp_path / 'file', part_dir=str(unfinished))
    pathlib.Path(writer.__enter__()).touch()
    clear_unfinished(str(unfinished), 'Node')
    assert list(tmp_path.iterdir()) == []


def test_error_names_the_folder_when_workers_wrote_elsewhere(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ComponentError, match=f'Node: .* in {tmp_path}, found none') as found:
        clear_unfinished(str(tmp_path / 'unfinished'), 'Node')
    assert 'at the same paths' in found.value.hint
