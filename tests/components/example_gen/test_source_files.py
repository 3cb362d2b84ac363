from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.batches import SourceKind
from components.example_gen.source_files import read_files
from components.readers.records import Record, Reject

TABLE = b'text,label\nGood.,pos\nBad.,neg\n'


def read(kind: SourceKind, *paths: pathlib.Path) -> list[Record | Reject]:
    return list(read_files(kind, map(str, paths), ColumnSettings(), None))


@pytest.fixture
def imdb(tmp_path: pathlib.Path) -> pathlib.Path:
    """Make a folder of reviews with one valid review."""
    folder = tmp_path / 'aclImdb' / 'train' / 'pos'
    folder.mkdir(parents=True)
    (folder / '0_9.txt').write_text('Good.')
    (tmp_path / 'secret.txt').write_text('a secret')
    return folder


@pytest.mark.parametrize(
    ('make', 'reason'),
    [
        (lambda path: path.symlink_to('../../../secret.txt'), 'link out of the folder'),
        (lambda path: path.symlink_to('nothing'), 'not a file'),
        (os.mkfifo, 'not a file'),
        (pathlib.Path.mkdir, 'not a file'),
    ],
)
def test_only_the_bad_review_is_rejected_when_it_is_not_a_file_of_the_folder(
    make: Callable[[pathlib.Path], None], reason: str, imdb: pathlib.Path
) -> None:
    make(imdb / '1_9.txt')
    (imdb / '2_9.txt').symlink_to('0_9.txt')  # inside, so it is followed
    found = read(SourceKind.IMDB_FOLDER, *(imdb / f'{number}_9.txt' for number in range(3)))
    assert found[1] == Reject(reason, str(imdb / '1_9.txt'))
    assert [record[0] for record in (found[0], found[2])] == ['Good.', 'Good.']


def test_reviews_are_rejected_when_their_folder_is_a_link_out(
    imdb: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    outside = tmp_path / 'outside'
    outside.mkdir()
    (outside / '1_1.txt').write_text('a secret')
    (imdb.parent / 'neg').symlink_to(outside)
    path = imdb.parent / 'neg' / '1_1.txt'
    assert read(SourceKind.IMDB_FOLDER, path) == [Reject('link out of the folder', str(path))]


def test_review_is_rejected_when_it_is_too_long(
    imdb: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('components.readers.archive.MAX_FILE_BYTES', 4)
    path = imdb / '0_9.txt'
    assert read(SourceKind.IMDB_FOLDER, path) == [Reject('too long', str(path))]


@pytest.mark.parametrize(
    ('name', 'make', 'message'),
    [
        ('a.csv', None, r'cannot read .*a\.csv: '),
        ('a.csv', os.mkfifo, r'a\.csv is not a file'),
        ('a.csv', pathlib.Path.mkdir, r'a\.csv is not a file'),
        ('9_9.txt', None, r'cannot read .*9_9\.txt: '),
    ],
)
def test_error_names_the_path_when_a_file_is_missing_or_not_a_file(
    name: str, make: Callable[[pathlib.Path], None] | None, message: str, imdb: pathlib.Path
) -> None:
    kind = SourceKind.TABLES if name == 'a.csv' else SourceKind.IMDB_FOLDER
    if make:
        make(imdb / name)
    with pytest.raises(DataError, match=message):
        read(kind, imdb / name)


@pytest.mark.parametrize('change', ['grows', 'shrinks', 'is written anew'])
def test_error_names_the_path_when_a_table_changes_while_it_is_read(
    change: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'a.csv'
    path.write_bytes(TABLE)
    os.utime(path, ns=(0, 0))
    rows = read_files(SourceKind.TABLES, [str(path)], ColumnSettings(), None)
    next(iter(rows))
    if change == 'grows':
        with path.open('ab') as file:
            file.write(b'More.,pos\n')
    elif change == 'shrinks':
        os.truncate(path, len(TABLE) - 5)
    else:
        path.write_bytes(TABLE)
    with pytest.raises(DataError, match=r'a\.csv changed while it was read'):
        list(rows)


def test_table_is_read_when_it_is_a_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'real.csv').write_bytes(TABLE)
    (tmp_path / 'a.csv').symlink_to('real.csv')
    assert len(read(SourceKind.TABLES, tmp_path / 'a.csv')) == 2
