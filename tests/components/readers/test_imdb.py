from __future__ import annotations

import gzip
import io
import pathlib
import random
import tarfile

import pytest

from components.common.errors import DataError
from components.readers.imdb import read_archive, read_file
from components.readers.records import Record, Reject
from tests.components.example_gen.samples import encode_archive, link

# As published: text, folders, and files that are no labelled reviews.
MEMBERS: list[tuple[str, bytes]] = [
    ('aclImdb/README', b'Large Movie Review Dataset v1.0'),
    ('aclImdb/imdb.vocab', b'the\nand\n'),
    ('aclImdb/test/urls_pos.txt', b'http://www.imdb.com/title/tt0210075/usercomments\n'),
    ('aclImdb/test/labeledBow.feat', b'9 0:7\n'),
    ('aclImdb/test/pos/0_10.txt', b'I went and saw this movie last night.<br /><br />Good.'),
    ('aclImdb/test/neg/0_2.txt', b'Once again Mr. Costner has dragged out a movie.'),
    ('aclImdb/train/pos/0_9.txt', 'Bromwell High is a cartoon comedy. Très bien!'.encode()),
    ('aclImdb/train/pos/1_7.txt', b'  Homelessness has been an issue.\n'),
    ('aclImdb/train/neg/0_3.txt', b'Story of a man who has unnatural feelings for a pig.'),
    ('aclImdb/train/unsup/0_0.txt', b'I admit, the great majority of films are bad.'),
    ('aclImdb/train/urls_unsup.txt', b'http://www.imdb.com/title/tt0018515/usercomments\n'),
    ('aclImdb/train/unsupBow.feat', b'0 0:8\n'),
]
REVIEWS = [
    (content.decode(), path.split('/')[2], path.split('/')[1], f'imdb.tar.gz:{path}')
    for path, content in MEMBERS
    if path.split('/')[2:3] in (['pos'], ['neg'])
]
UNLABELLED = [
    (content.decode(), None, 'unsup', f'imdb.tar.gz:{path}')
    for path, content in MEMBERS
    if path.split('/')[2:3] == ['unsup']
]
LONG = [
    (f'aclImdb/train/pos/{number}_8.txt', random.Random(number).randbytes(400).hex().encode())
    for number in range(5)
]


def read(
    content: bytes, name: str = 'imdb.tar.gz', *, unlabelled: bool = False
) -> list[Record | Reject]:
    return list(read_archive(io.BytesIO(content), name, unlabelled=unlabelled))


@pytest.mark.parametrize('unlabelled', [True, False])
@pytest.mark.parametrize('mode', ['w:gz', 'w', 'w:bz2'])
def test_reviews_are_read_when_the_archive_is_as_published(mode: str, unlabelled: bool) -> None:
    assert (len(REVIEWS), len(UNLABELLED)) == (5, 1)
    reviews = REVIEWS + UNLABELLED if unlabelled else REVIEWS
    found = read(encode_archive(MEMBERS, mode=mode), unlabelled=unlabelled)
    assert found == [Record(*review) for review in reviews]


@pytest.mark.parametrize('prefix', ['', './', 'aclImdb/', './aclImdb/', 'data/v1/aclImdb/'])
def test_reviews_are_found_when_the_archive_has_another_top_folder(prefix: str) -> None:
    content = encode_archive([(f'{prefix}test/neg/7_1.txt', b'Bad.')])
    assert [record[:3] for record in read(content)] == [('Bad.', 'neg', 'test')]


def test_files_are_skipped_when_they_are_not_labelled_reviews() -> None:
    paths = ['unsup/1_0.txt', 'pos/notes.md', 'pos/more/1_9.txt', 'positive/1_9.txt']
    others = [f'aclImdb/train/{path}' for path in paths]
    others += ['aclImdb/mytrain/pos/1_9.txt', 'aclImdb/val/pos/1_9.txt', 'a..b/...', '...']
    members = [(path, b'Not this.') for path in others]
    found = read(encode_archive([*members, ('a..b/train/pos/..9.txt', b'This.')]))
    assert [record[0] for record in found] == ['This.']


def test_only_the_bad_review_is_rejected_when_it_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('components.readers.archive.MAX_FILE_BYTES', 5)
    members = [
        ('aclImdb/train/pos/0_9.txt', b'Good.'),
        ('aclImdb/train/pos/1_9.txt', b'Caf\xe9.'),
        ('aclImdb/train/pos/2_9.txt', b''),
        ('aclImdb/train/pos/3_9.txt', b' \n'),
        ('aclImdb/train/pos/4_9.txt', b'Too good.'),
        ('aclImdb/train/neg/5_1.txt', b'Bad.'),
    ]
    where = 'imdb.tar.gz:aclImdb/train'
    assert read(encode_archive(members)) == [
        Record('Good.', 'pos', 'train', f'{where}/pos/0_9.txt'),
        Reject('not UTF-8', f'{where}/pos/1_9.txt'),
        Reject('empty text', f'{where}/pos/2_9.txt'),
        Reject('empty text', f'{where}/pos/3_9.txt'),
        Reject('too long', f'{where}/pos/4_9.txt'),
        Record('Bad.', 'neg', 'train', f'{where}/neg/5_1.txt'),
    ]


@pytest.mark.parametrize(
    'kind', [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_member_is_not_followed_or_created_when_it_is_not_a_file(
    kind: bytes, tmp_path: pathlib.Path
) -> None:
    secret = tmp_path / 'secret.txt'
    secret.write_text('a secret')
    members: list[tuple[str, bytes | tarfile.TarInfo]] = [
        ('aclImdb/train/unsup/0_0.txt', b'unlabelled'),
        ('aclImdb/train/pos/1_9.txt', link(kind, str(secret))),
        ('aclImdb/train/pos/2_9.txt', link(kind, 'aclImdb/train/unsup/0_0.txt')),
        ('aclImdb/train/pos/3_9.txt', link(kind, str(tmp_path / 'made'))),
        ('aclImdb/train/pos/4_9.txt', b'Good.'),
    ]
    assert [record[0] for record in read(encode_archive(members))] == ['Good.']
    assert list(tmp_path.iterdir()) == [secret]


@pytest.mark.parametrize(
    'path',
    [
        '../train/pos/1_9.txt',
        'aclImdb/../../train/pos/1_9.txt',
        'aclImdb/..',
        '/etc/passwd',
        '/aclImdb/train/pos/1_9.txt',
        'aclImdb\\..\\train\\pos\\1_9.txt',
        '\\aclImdb\\1.txt',
    ],
)
def test_archive_is_refused_when_a_path_leads_outside_it(path: str) -> None:
    with pytest.raises(
        DataError, match=r"imdb.tar.gz holds '.*', a path outside the archive"
    ) as caught:
        read(encode_archive([('aclImdb/train/pos/0_9.txt', b'Good.'), (path, b'Bad.')]))
    assert 'manipulated' in caught.value.hint


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'text,label\nFine.,pos\n',
        b'x' * 2_000,
        gzip.compress(b'text,label\nFine.,pos\n', mtime=0),
        gzip.compress(b'', mtime=0),
        b'PK\x03\x04' + bytes(600),
    ],
    ids=['empty', 'short', 'long', 'gzipped table', 'gzipped nothing', 'zip'],
)
def test_file_is_refused_when_it_is_not_an_archive(content: bytes) -> None:
    with pytest.raises(DataError, match=r'imdb.tar.gz is not a complete tar archive: ') as caught:
        read(content)
    assert 'fetch' in caught.value.hint


def is_read(content: bytes) -> bool:
    try:
        read(content)
    except DataError:
        return False
    return True


@pytest.mark.parametrize('mode', ['w:gz', 'w'])
def test_archive_is_refused_when_it_is_truncated_anywhere(mode: str) -> None:
    content = encode_archive(LONG, mode=mode)
    cuts = range(len(content))
    if mode == 'w':
        end_bytes = len(LONG) * (512 + 1_024)  # blocks of zeros follow; the first marks the end
        assert not any(content[end_bytes:])
        cuts = range(0, end_bytes + 1, 64)
    assert [cut for cut in cuts if is_read(content[:cut])] == []
    assert len(read(content)) == len(LONG)


@pytest.mark.parametrize(
    ('mode', 'position'),
    [
        *(('w:gz', position) for position in (0.1, 0.5, 0.9)),
        ('w:gz', -6),  # the checksum
        *(('w', number * (512 + 1_024)) for number in (0, 2, 4)),  # headers of members
    ],
)
def test_archive_is_refused_when_a_bit_is_flipped(mode: str, position: float) -> None:
    content = bytearray(encode_archive(LONG, mode=mode))
    content[int(len(content) * position) if 0 < position < 1 else int(position)] ^= 1
    with pytest.raises(DataError, match='not a complete tar archive'):
        read(bytes(content))


@pytest.mark.parametrize(
    ('folder', 'content', 'expected'),
    [
        ('test/neg', 'Déjà vu.'.encode(), ('Déjà vu.', 'neg', 'test')),
        ('train/unsup', b'Fine.', ('Fine.', None, 'unsup')),
        ('test/neg', None, ('too long',)),
    ],
)
def test_folder_names_split_and_label_when_a_review_is_a_file(
    folder: str, content: bytes | None, expected: tuple[str, ...]
) -> None:
    path = f'/data/aclImdb/{folder}/3_1.txt'
    found = read_file(path, content)
    assert tuple(found)[: len(expected) + 1] == (*expected, path)
