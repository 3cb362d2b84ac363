from __future__ import annotations

import gzip
import io
import lzma
import random
import tarfile
import zlib

import pytest

from components.readers import archive
from components.readers.decompression import decompress
from tests.components.example_gen.samples import encode_archive, link

FILES = [
    ('a.txt', b'one'),
    ('b/empty.txt', b''),
    ('b/block.txt', b'x' * 512),
    ('b/long.txt', random.Random(1).randbytes(700_000)),
    ('b/ünï.txt', b'two'),
    ('z.txt', b'last'),
]


def read(content: bytes) -> list[tuple[str, bytes]]:
    return list(archive.read_files(io.BytesIO(content), lambda name: name))


@pytest.mark.parametrize('mode', ['w', 'w:gz', 'w:bz2', 'w:xz'])
def test_files_are_read_in_full_when_the_archive_is_compressed(mode: str) -> None:
    assert read(encode_archive(FILES, mode=mode)) == FILES


@pytest.mark.parametrize(
    'tar_format', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
@pytest.mark.parametrize('length', [99, 100, 101, 160, 250])
def test_names_are_read_in_full_when_they_are_long(length: int, tar_format: int) -> None:
    name = ('d' * 60 + '/' + 'e' * 90 + '/' + 'f' * 200)[: length - 4] + '.txt'
    files = [('first.txt', b'one'), (name, b'two'), ('last.txt', b'three')]
    if tar_format == tarfile.USTAR_FORMAT and length > 160:
        return  # longer than the format allows
    assert read(encode_archive(files, mode='w', tar_format=tar_format)) == files


def test_select_gets_every_name_when_members_are_not_all_files() -> None:
    folder = tarfile.TarInfo()
    folder.type = tarfile.DIRTYPE
    members = [
        ('folder', folder),
        ('a.txt', b'one'),
        ('link', link(tarfile.SYMTYPE, 'a.txt')),
        ('b.txt', b'two'),
    ]
    seen = []
    assert read(encode_archive(members)) == [('a.txt', b'one'), ('b.txt', b'two')]
    found = archive.read_files(io.BytesIO(encode_archive(members)), seen.append)
    assert list(found) == []
    assert seen == ['folder', 'a.txt', 'link', 'b.txt']


def test_all_files_are_read_when_gzip_has_several_members() -> None:
    plain = encode_archive(FILES, mode='w')
    parts = [plain[:700], plain[700:300_000], plain[300_000:]]
    compressed = b''.join(gzip.compress(part) for part in parts)
    assert read(compressed) == FILES
    assert read(compressed + bytes(9)) == FILES
    with pytest.raises(Exception, match='incorrect header check'):
        read(compressed + b'garbage')


def test_memory_is_bounded_when_a_small_stream_decompresses_to_a_large_one() -> None:
    stream = io.BytesIO(gzip.compress(bytes(50_000_000)))
    assert max(map(len, decompress(stream))) <= 1 << 20


class Strict(tarfile.TarInfo):
    """A member that raises an error if it is damaged, instead of ending the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Strict:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as err:
            raise tarfile.ReadError(str(err)) from err
        if member.size < 0:
            raise tarfile.ReadError('a negative size')
        return member


def read_with_tarfile(content: bytes) -> list[tuple[str, bytes]] | None:
    """Read an archive with Python's own module; return None if it refuses."""
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode='r|', tarinfo=Strict) as file:
            for member in file:
                if member.isfile():
                    extracted = file.extractfile(member)
                    assert extracted is not None
                    found.append((member.name, extracted.read()))
    except (tarfile.TarError, ValueError):
        return None
    return found


def test_archive_is_read_as_tarfile_reads_it_when_a_header_is_changed() -> None:
    files = [(name, content) for name, content in FILES if len(content) < 1_000]
    plain = encode_archive(files, mode='w')
    rng = random.Random(2)
    refused = 0
    for _ in range(3_000):
        changed = bytearray(plain)
        start = rng.choice([0, 1_024, 1_536])
        for _ in range(rng.choice([1, 1, 2])):
            changed[start + rng.randrange(512)] = rng.choice(b'\0 /.017Lgxx\x80\xff')
        block = changed[start : start + 512]
        checksums = tarfile.calc_chksums(block)  # type: ignore[attr-defined]
        if rng.random() < 0.5:
            changed[start + 148 : start + 156] = b'%06o\0 ' % checksums[0]
        expected = read_with_tarfile(bytes(changed))
        refused += expected is None
        checksum = bytes(changed[start + 148 : start + 156]).partition(b'\0')[0].strip()
        if expected is None and checksum.isdigit() and int(checksum, 8) in checksums:
            continue  # tarfile refuses a field that our reader ignores, such as the owner
        try:
            found = read(bytes(changed))
        except tarfile.TarError:
            found = None
        assert found == expected
    assert 500 < refused < 2_500


def header(name: str, kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize('kind', [b'L', b'K', b'x', b'g', b'X'])
def test_archive_is_refused_when_an_extended_header_is_huge(kind: bytes) -> None:
    with pytest.raises(tarfile.ReadError, match='an extended header of 1,000,000 bytes'):
        read(header('a', kind, 1_000_000) + bytes(2_000_000))


def with_pax_header(record: bytes) -> bytes:
    return header('a', b'x', len(record)) + record.ljust(512, b'\0') + header('b', b'0', 0)


@pytest.mark.parametrize(
    'record', [b'22 GNU.sparse.major=1\n', b'21 GNU.sparse.size=9\n', b'20 GNU.sparse.map=1\n']
)
def test_archive_is_refused_when_a_file_is_sparse(record: bytes) -> None:
    for content in (with_pax_header(record), header('b', b'S', 0)):
        with pytest.raises(tarfile.ReadError, match='a sparse file'):
            read(content + bytes(1_024))


def test_first_name_is_used_when_a_file_has_hundreds_of_headers() -> None:
    names = [f'name {number}.txt'.encode() for number in range(1_000)]
    extended = [header('', b'L', len(name)) + name.ljust(512, b'\0') for name in names]
    assert read(b''.join(extended) + header('a', b'0', 0) + bytes(1_024)) == [('name 0.txt', b'')]


@pytest.mark.parametrize('record', [b'99 path=a\n', b'5 a\n', b'1 a=b\n', b'x\n'])
def test_archive_is_refused_when_a_pax_header_is_malformed(record: bytes) -> None:
    assert read(with_pax_header(b'9 path=a\n') + bytes(1_024)) == [('a', b'')]
    with pytest.raises(tarfile.ReadError, match='a bad pax header'):
        read(with_pax_header(record) + bytes(1_024))


def test_content_is_none_when_a_file_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, 'MAX_FILE_BYTES', 600)
    files = [('a.txt', b'one'), ('b.txt', b'x' * 601), ('c.txt', b'x' * 600)]
    content = encode_archive(files, mode='w', tar_format=tarfile.USTAR_FORMAT)
    assert read(content) == [files[0], ('b.txt', None), files[2]]


@pytest.mark.parametrize('mode', ['w:bz2', 'w:xz'])
def test_archive_is_refused_when_it_is_truncated_or_followed_by_garbage(mode: str) -> None:
    compressed = encode_archive(FILES, mode=mode)
    assert read(compressed + bytes(8)) == FILES
    for content in (compressed[:-9], compressed[: len(compressed) // 2], compressed + b'garbage'):
        with pytest.raises((EOFError, OSError, ValueError, lzma.LZMAError)):
            read(content)


def test_archive_is_refused_when_xz_needs_too_much_memory() -> None:
    compressed = bytearray(lzma.compress(b'text'))
    compressed[16] = 40  # a dictionary of 4 GiB, in the header of the block, which has a checksum
    compressed[20:24] = zlib.crc32(compressed[12:20]).to_bytes(4, 'little')
    with pytest.raises(lzma.LZMAError, match='Memory usage limit exceeded'):
        read(bytes(compressed))
