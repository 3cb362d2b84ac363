from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Callable

import pytest

from pipeline.store import manifest


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / 'root' / 'artifacts' / 'x' / 'Node' / 'output' / '7'
    (made / 'sub').mkdir(parents=True)
    (made / 'a').write_bytes(b'0123456789')
    (made / 'sub' / 'b').write_bytes(b'')
    return made


def test_nothing_is_found_when_nothing_changed(folder: pathlib.Path) -> None:
    written = manifest.take(folder)
    assert manifest.damage(folder, written) is None
    assert manifest.damage(folder, written, thorough=True) is None


def test_nothing_is_found_when_a_folder_was_copied_without_its_times(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    written = manifest.take(folder)
    copy = shutil.copytree(folder, tmp_path / 'copy', copy_function=shutil.copyfile)
    assert manifest.damage(pathlib.Path(copy), written) is None


@pytest.mark.parametrize(
    ('damage', 'told'),
    [
        (lambda folder: (folder / 'a').unlink(), r'/a was deleted$'),
        (lambda folder: shutil.rmtree(folder / 'sub'), r'/sub/b was deleted$'),
        (shutil.rmtree, r'/7 was deleted$'),
        (lambda folder: os.truncate(folder / 'a', 4), r'/a has 4 bytes, was written with 10$'),
        (lambda folder: (folder / 'a').write_bytes(b'0123456780'), r'/a was changed$'),
        (lambda folder: (folder / 'c').touch(), r'/c was added$'),
        (lambda folder: (folder / 'a').unlink() or (folder / 'a').mkdir(), r'/a has [\d,]+ bytes'),
    ],
)
def test_difference_is_named_when_something_changed(
    damage: Callable[[pathlib.Path], None], told: str, folder: pathlib.Path
) -> None:
    written = manifest.take(folder)
    damage(folder)
    found = manifest.damage(folder, written)
    assert found is not None
    assert re.search(told, found)


def test_untouched_file_is_read_only_when_the_search_is_thorough_if_it_is_large(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, '_COMPARED_BYTES', 9)
    written = manifest.take(folder)
    status = (folder / 'a').stat()
    (folder / 'a').write_bytes(b'012345678_')
    os.utime(folder / 'a', ns=(status.st_atime_ns, status.st_mtime_ns))
    assert manifest.damage(folder, written) is None
    assert str(manifest.damage(folder, written, thorough=True)).endswith('/a was changed')


def test_manifest_comes_back_when_it_was_kept(folder: pathlib.Path) -> None:
    root = folder.parents[4]
    path = manifest.manifest_path(folder)
    assert path == root / 'manifests' / 'x' / 'Node' / 'output' / '7.json'
    written = manifest.take(folder)
    manifest.save(path, written)
    assert manifest.load(path) == written
    assert manifest.manifest_path(pathlib.Path('/elsewhere')) is None


@pytest.mark.parametrize('content', [b'', b'[]', b'{"a": 1}', b'{"a": {"size": "x"}}', b'\xff'])
def test_there_is_no_manifest_when_the_file_is_damaged(
    content: bytes, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'a.json').write_bytes(content)
    assert manifest.load(tmp_path / 'a.json') is None
    assert manifest.load(tmp_path / 'none.json') is None
