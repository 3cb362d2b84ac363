from __future__ import annotations

import pathlib

import pytest

from components.whole_files import whole_file, write_whole


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
