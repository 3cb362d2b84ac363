from __future__ import annotations

import pathlib

import pytest

from components.common.atomic_write import clear_unfinished, whole_file, write_whole
from components.common.errors import ComponentError


def test_a_file_has_its_name_when_it_is_complete(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'output' / 'file'
    with whole_file(str(path), str(tmp_path / 'unfinished')) as part:
        pathlib.Path(part).write_bytes(b'half')
        assert not path.exists()
        pathlib.Path(part).write_bytes(b'whole')
    assert path.read_bytes() == b'whole'
    assert list((tmp_path / 'unfinished').iterdir()) == []


def die(path: str, unfinished: str) -> None:
    with whole_file(path, unfinished) as part:
        pathlib.Path(part).write_bytes(b'seco')
        raise ValueError('died')


def test_a_file_stays_as_it_was_when_an_attempt_fails(tmp_path: pathlib.Path) -> None:
    path, unfinished = tmp_path / 'file', str(tmp_path / 'unfinished')
    write_whole(str(path), b'first', unfinished)
    with pytest.raises(ValueError, match='died'):
        die(str(path), unfinished)
    assert path.read_bytes() == b'first'


def test_a_file_is_that_of_one_attempt_when_two_write_at_a_time(tmp_path: pathlib.Path) -> None:
    path, unfinished = tmp_path / 'file', str(tmp_path / 'unfinished')
    with whole_file(str(path), unfinished) as one:
        pathlib.Path(one).write_bytes(b'1' * 10)
        with whole_file(str(path), unfinished) as other:
            pathlib.Path(other).write_bytes(b'2' * 5)
        assert path.read_bytes() == b'2' * 5
    assert path.read_bytes() == b'1' * 10


def test_what_attempts_left_is_removed_when_the_work_is_done(tmp_path: pathlib.Path) -> None:
    unfinished = tmp_path / 'unfinished'
    with pytest.raises(ValueError, match='died'):
        die(str(tmp_path / 'file'), str(unfinished))
    assert len(list(unfinished.iterdir())) == 1
    clear_unfinished(str(unfinished), 'Node')
    assert list(tmp_path.iterdir()) == []


def test_workers_that_wrote_elsewhere_are_told_of_when_nothing_is_there(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(ComponentError, match=f'Node: .* below {tmp_path}, got nothing') as caught:
        clear_unfinished(str(tmp_path / 'unfinished'), 'Node')
    assert 'under the same paths' in caught.value.hint
