from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common import atomic_write, worker_files
from components.common.errors import ComponentError
from components.common.worker_files import WorkerFiles


def test_each_value_comes_back_when_a_file_has_several(tmp_path: pathlib.Path) -> None:
    files = WorkerFiles(str(tmp_path))
    values = [{'good': 2}, b'', ['a'] * 1_000]

    stored = files.store(values)

    assert [files.load(each) for each in stored] == values
    assert len({each.name for each in stored}) == 1


def test_values_are_kept_apart_when_a_bundle_is_repeated(tmp_path: pathlib.Path) -> None:
    files = WorkerFiles(str(tmp_path))
    (first,), (second,) = files.store(['first']), files.store(['second'])
    assert (files.load(first), files.load(second)) == ('first', 'second')


def test_files_are_removed_when_the_unfinished_ones_are(tmp_path: pathlib.Path) -> None:
    WorkerFiles(str(tmp_path)).store(['value'])
    atomic_write.clear_unfinished(str(tmp_path / atomic_write.UNFINISHED), 'StatisticsGen')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('damage', [lambda content: content[:-1], lambda content: b'x' + content])
def test_nothing_is_unpickled_when_the_file_was_changed(
    tmp_path: pathlib.Path, damage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = WorkerFiles(str(tmp_path))
    (stored,) = files.store(['value'])
    path = tmp_path / atomic_write.UNFINISHED / stored.name
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.delattr(worker_files.pickle, 'loads')

    with pytest.raises(ComponentError, match=r'expected the \d+ bytes that a worker wrote'):
        files.load(stored)
