"""The fuzz targets: each reader with its first inputs and their building blocks.

`python -m tests.torture.fuzz_targets NAME SECONDS FOLDER` fuzzes one in limited memory, writes
the inputs that crash it to FOLDER, and prints the result as JSON.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import json
import lzma
import pathlib
import resource
import sys
import tarfile
import zipfile

import pyarrow as pa
from pyarrow import parquet

from tests import hostile
from tests.components.example_gen.samples import encode_archive, encode_table, link
from tests.torture.fuzzer import Fuzzer, Target

# For a target and its imports. An input has at most 16 KiB.
MEMORY_BYTES = 1 << 30

_TABLE_FILES = tuple(
    f'readers/{name}.py'
    for name in (
        'formats',
        'tables',
        'delimited',
        'dialect',
        'quoting',
        'json_lines',
        'json_documents',
        'zipped',
        'text_lines',
        'lines',
        'decompression',
    )
)
_ARCHIVE_FILES = (
    'readers/archive.py',
    'readers/decompression.py',
    'readers/imdb.py',
)


_ROWS: list[dict[str, object]] = [
    {'text': 'A "great", film\nindeed', 'label': 'pos'},
    {'text': 'Très\tbad', 'label': '0'},
    {'text': ' ', 'label': 'neg'},
    {'text': 'no label', 'label': ''},
]
_TABLE_WORDS = [b'text', b'label', b'text,label\n', b'text\tlabel\n', b'""', b'"\n', b'\r\n', b'\t']
_TABLE_WORDS += [b'\\', b'\\N', b',"', b'\t"', b'text;label\n', b'sep=;\n', b'1\t"Great\n']
_JSON_WORDS = [
    *(b'{"text": "a", "label": 1}\n', b'null', b'true', b'NaN', b'Infinity', b'1e999', b'{}'),
    *(b'[]', b'"text":', b'"label":', b'\\ud83d', b'\\u0000', b'\\', b'[' * 2_000, b'9' * 5_000),
]


def _archive(mode: str, tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    members: list[tuple[str, bytes | tarfile.TarInfo]] = [
        ('aclImdb/train/pos/0_9.txt', b'Good.'),
        ('aclImdb/test/neg/1_1.txt', b'x' * 600),
        ('aclImdb/train/unsup/2_0.txt', b''),
    ]
    if tar_format != tarfile.USTAR_FORMAT:
        members.append(('aclImdb/train/neg/' + 'é' * 120 + '.txt', b'long'))
    members += [('link', link(tarfile.SYMTYPE, '/etc/passwd')), ('b.txt', b'last')]
    # Without the zeros that fill a record of 10 KiB.
    return encode_archive(members, mode=mode, tar_format=tar_format).rstrip(b'\0') + bytes(2_048)


def _zip(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(name, content)
    return file.getvalue()


def _columnar(*, stream: bool | None) -> bytes:
    """Return a Parquet file, or an Arrow file in the format of streams or of files."""
    table = pa.table(
        {
            'text': pa.array(['A film', 'Très bad', 'A film']).dictionary_encode(),
            'body': [{'text': 'a', 'n': [1]}, None, {'text': 'b', 'n': []}],
            'label': [1, 0, None],
        }
    )
    file = io.BytesIO()
    if stream is None:
        parquet.write_table(table, file)
    else:
        new = pa.ipc.new_stream if stream else pa.ipc.new_file
        with new(file, table.schema) as writer:
            writer.write_table(table)
    return file.getvalue()


def mend_tar(content: bytes) -> bytes:
    """Write the correct checksum into each block that may be a header."""
    data = bytearray(content)
    for start in range(0, len(data) - 511, 512):
        block = data[start : start + 512]
        if block[257:262] == b'ustar':
            checksum = sum(block) - sum(block[148:156]) + 8 * ord(' ')
            data[start + 148 : start + 156] = b'%06o\0 ' % checksum
    return bytes(data)


def _packed(content: bytes) -> None:
    """Check a tar file after compression; the first byte selects the format and where to cut."""
    pack = (gzip.compress, bz2.compress, functools.partial(lzma.compress, preset=0))
    kind, rest = content[:1] or b'\0', content[1:]
    packed = pack[kind[0] % 3](rest)
    hostile.check_archive(packed)
    cut = len(packed) * kind[0] // 256
    hostile.check_archive(packed[:cut] + packed[cut + 1 :])


TARGETS = {
    'csv': Target(
        functools.partial(hostile.check_table, 'a.csv'),
        [encode_table('a.csv', _ROWS), b'\xef\xbb\xbflabel,text\r\n1,a\r\n'],
        _TABLE_WORDS,
        _TABLE_FILES,
    ),
    'tsv': Target(
        functools.partial(hostile.check_table, 'a.tsv'),
        [encode_table('a.tsv', _ROWS)],
        _TABLE_WORDS,
        _TABLE_FILES,
    ),
    'jsonl': Target(
        functools.partial(hostile.check_table, 'a.jsonl'),
        [encode_table('a.jsonl', _ROWS)],
        _JSON_WORDS,
        _TABLE_FILES,
    ),
    'json': Target(
        functools.partial(hostile.check_document, 'a.json'),
        [
            b'[{"text": "a", "label": 1},\n {"text": "b", "label": 0}]\n',
            b'{"data": [{"text": "a", "label": 1}], "n": 1}',
        ],
        [*_JSON_WORDS, b',\n', b'[', b']', b'{', b'}'],
        _TABLE_FILES,
    ),
    'zip': Target(
        functools.partial(hostile.check_document, 'a.zip'),
        [_zip('a.csv', b'text,label\na,1\n'), _zip('d/a.json', b'[{"text": "a", "label": 1}]')],
        [b'PK\x03\x04', b'PK\x01\x02', b'PK\x05\x06', b'__MACOSX/', b'a.tsv', bytes(4)],
        _TABLE_FILES,
    ),
    'parquet': Target(
        functools.partial(hostile.check_columnar, 'a.parquet'),
        [_columnar(stream=None)],
        [b'PAR1', b'\x15\x00', b'\x80' * 9 + b'\x01', bytes(8)],
        (*_TABLE_FILES, 'readers/columnar.py'),
    ),
    'arrow': Target(
        functools.partial(hostile.check_columnar, 'a.arrow'),
        [_columnar(stream=False), _columnar(stream=True)],
        [b'ARROW1', b'\xff\xff\xff\xff', b'\xff\xff\xff\x7f', bytes(8)],
        (*_TABLE_FILES, 'readers/columnar.py'),
    ),
    'csv.gz': Target(
        functools.partial(hostile.check_table, 'a.csv.gz'),
        [encode_table('a.csv.gz', _ROWS), gzip.compress(b'text,label\na,1\n', 0) * 2],
        [gzip.compress(b'a,1\n'), b'\x1f\x8b\x08', bytes(20)],
        _TABLE_FILES,
    ),
    'tar': Target(
        hostile.check_archive,
        [
            _archive('w', form)
            for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
        ],
        [
            *(b'ustar\x0000', b'ustar  \0', b'././@LongLink', b'\x80' + bytes(11), b'\xff' * 12),
            *(b'L', b'K', b'x', b'g', b'S', b'X', b'7', b'19 path=train/pos\n', b'10 size=9\n'),
            *(b'22 GNU.sparse.major=1\n', b'../', b'/', b'77777777777\0', bytes(512)),
        ],
        _ARCHIVE_FILES,
        mend_tar,
    ),
    'compressed tar': Target(
        _packed, [bytes([kind]) + _archive('w') for kind in (0, 100, 200)], [], _ARCHIVE_FILES
    ),
    'predict csv': Target(
        functools.partial(hostile.check_rows, 'a.csv'),
        [encode_table('a.csv', _ROWS), b'text,score\r\n"a\r\n",\r\n'],
        [*_TABLE_WORDS, b'score'],
        (*_TABLE_FILES, 'predict/rows.py', 'predict/writing.py'),
    ),
    'predict jsonl': Target(
        functools.partial(hostile.check_rows, 'a.jsonl'),
        [encode_table('a.jsonl', _ROWS), b'{"text": null, "a": [{"b": 1}]}\n'],
        [*_JSON_WORDS, b'"score"'],
        (*_TABLE_FILES, 'predict/rows.py', 'predict/writing.py'),
    ),
    'encodings': Target(
        hostile.check_encoding,
        [
            bytes([0]) + 'text,n\né,1\n'.encode('utf-16'),
            bytes([1]) + '{"text": "é"}\n'.encode('utf-16-le'),
            bytes([4]) + 'text,n\nとても,1\n'.encode('shift_jis'),
        ],
        [*_TABLE_WORDS, b'\xff\xfe', b'\0\xd8', b'\x1b$B', b'~{', b'\n\0'],
        (*_TABLE_FILES, 'readers/encodings.py', 'readers/signatures.py', 'predict/rows.py'),
    ),
    'spans': Target(
        hostile.check_spans,
        [
            b'day-{YYYY}{MM}{DD}/*.csv\nday-20261125/a.csv\nday-20261124/a.csv',
            b's-{SPAN:4}/v-{VERSION}/[a-c]?.csv\ns-0001/v-2/ab.csv\ns-0002/v-1/bb.csv',
        ],
        [
            *(b'{SPAN}', b'{VERSION}', b'{DD}', b'[!', b'[z-a]', b'**', b'9' * 30, b'gs://'),
            '٣'.encode(),
        ],
        ('example_gen/spans.py',),
    ),
    'config': Target(
        hostile.check_config,
        [
            b'trainer: {epochs: 5}\ngate:\n  slices: {"1-10": 0.7}\n',
            b'data: {columns: {text_column: review}}\ncloud:\n  resources: {Trainer: {cpu: 4}}\n',
            b'a: &a [1, 2]\nb: *a\n',
            b'!!timestamp 2026-11-25\n',
        ],
        [
            *(b'trainer', b'gate', b'cloud', b'&a ', b'*a', b'<<: ', b'!!int ', b'!!binary '),
            *(b'!!python/name:os.system ', b'!!set ', b'!!omap ', b'[' * 100, b': ', b'- ', b'? '),
            *(b'2026-99-99', b'1:60', b'0x', b'.inf', b'~', b'{', b'|\n', b'"\\x', b'---\n'),
        ],
        ('pipeline/settings/config.py', 'pipeline/settings/safe_yaml.py', 'yaml/constructor.py'),
    ),
    'review': Target(hostile.check_review, [b'Good.', 'é'.encode()], [], _ARCHIVE_FILES),
}


def main(name: str, seconds: str, folder: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, hard))
    found = Fuzzer(TARGETS[name]).run(float(seconds))
    crashes = []
    for number, (content, message) in enumerate(found.crashes):
        path = pathlib.Path(folder, f'{name.replace(" ", "-")}-{number}')
        path.write_bytes(content)
        crashes.append(f'{message}\n  {path}: {content[:300]!r}')
    print(json.dumps({**found._asdict(), 'crashes': crashes}))


if __name__ == '__main__':
    main(*sys.argv[1:])
