"""Malicious files that would exhaust memory, time or disk space."""

from __future__ import annotations

import bz2
import csv
import gzip
import itertools
import json
import lzma
import pathlib
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from components.common.settings import ColumnSettings
from components.readers.records import assign_split
from tests.conftest import REPO, SAMPLE, run_command
from tests.torture.conftest import Tally

# For a process that reads, with its imports.
BOUND_MIB = 700
# For the pipeline, which needs 1.5 GiB for the sample.
PIPELINE_BOUND_GIB = 8
_MEGABYTES = bytes(1 << 24)
_READ = """
import json, resource, sys
from components.common.errors import DataError
from components.readers.formats import read_records
from components.common.settings import ColumnSettings

path, name, bound_mib = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(bound_mib) << 20,) * 2)
counts, error = {}, None
try:
    with open(path, 'rb') as file:
        for row in read_records(file, name, ColumnSettings(), None):
            reason = getattr(row, 'reason', 'read')
            counts[reason] = counts.get(reason, 0) + 1
except DataError as err:
    error = str(err)
# Not ru_maxrss, which includes the memory of the parent process.
status = open('/proc/self/status').read().split()
peak = int(status[status.index('VmHWM:') + 1]) >> 10
print(json.dumps({'counts': counts, 'error': error, 'peak_mib': peak}))
"""


def read(path: pathlib.Path) -> dict[str, Any]:
    """Read a file in a process with limited memory."""
    done = subprocess.run(
        [sys.executable, '-c', _READ, str(path), path.name, str(BOUND_MIB)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


Write = Callable[[pathlib.Path], None]


def write_parts(*parts: bytes) -> Write:
    def write(path: pathlib.Path) -> None:
        with path.open('wb') as file:
            file.writelines(parts)

    return write


def write_gzip(head: bytes, block: bytes, times: int) -> Write:
    def write(path: pathlib.Path) -> None:
        member = gzip.compress(block, 9)
        with path.open('wb') as file:
            file.writelines([gzip.compress(head), *itertools.repeat(member, times)])

    return write


def write_compressed_zeros(make: Callable[[], Any]) -> Write:
    def write(path: pathlib.Path) -> None:
        compressor = make()
        with path.open('wb') as file:
            file.write(compressor.compress(header(1 << 40)))
            file.writelines(compressor.compress(_MEGABYTES) for _ in range(80))
            file.write(compressor.flush())

    return write


def header(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo('aclImdb/train/pos/1_9.txt')
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


ENDS_SOON = 'decompresses to more than 200 times its size'
FILES: dict[str, tuple[Write, str]] = {
    '10 GB of one unclosed quote.csv.gz': (
        write_gzip(b'text,label\n"', b'x' * (1 << 24), 640),
        ':2: the row is longer than 64,000,000 characters',
    ),
    '10 GB of one line.jsonl.gz': (write_gzip(b'{"text": "', b'x' * (1 << 24), 640), ENDS_SOON),
    '10 GB of fields of one row.csv.gz': (
        write_gzip(b'text,label\n', b'"\n",' * (1 << 20), 640),
        ':2: the row is longer than 64,000,000 characters',
    ),
    '10 GB of fields of one row, after an escape.csv.gz': (
        write_gzip(b'text,label\na\\"b,pos\n', b'"\n",,' * (1 << 20), 512),
        ':3: the row is longer than 64,000,000 characters',
    ),
    # Each line begins a row that has no end, and continues that of the line before.
    '200 MB of rows without an end.csv': (
        write_parts(b'text,label\n', (b'a",",' + b'x' * 995 + b'\n') * 200_000),
        ':2: the row is longer than 64,000,000 characters',
    ),
    '10 GB of one review.tar.gz': (write_gzip(header(1 << 40), _MEGABYTES, 640), ENDS_SOON),
    '1 GB of zeros, packed by xz.tar': (
        write_compressed_zeros(lambda: lzma.LZMACompressor(preset=1)),
        ENDS_SOON,
    ),
    '1 GB of zeros, packed by bzip2.tar': (write_compressed_zeros(bz2.BZ2Compressor), ENDS_SOON),
    '10 million empty members.tar.gz': (write_gzip(b'', header(0) * (1 << 15), 305), ENDS_SOON),
    'a member of 1 TB.tar': (write_parts(header(1 << 40), bytes(4_096)), 'unexpected end of data'),
    'a header of 1 TB.tar': (
        write_parts(header(1 << 33, b'L'), bytes(4_096)),
        'an extended header of',
    ),
    'a sparse file of 1 TB.tar': (
        write_parts(header(1 << 40, b'S'), bytes(4_096)),
        'a sparse file',
    ),
}


@pytest.mark.parametrize('name', FILES)
def test_file_is_refused_in_bounded_memory_when_it_is_a_bomb(
    name: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    write, message = FILES[name]
    path = tmp_path / name
    write(path)
    found = read(path)
    refused = message in (found['error'] or '')
    tally(fault='bombs: packed, endless, huge', runs=1, faults=1, losses=int(not refused))
    assert refused, found
    assert found['peak_mib'] < BOUND_MIB


READABLE: dict[str, tuple[Write, dict[str, int]]] = {
    'a line of 200 MB.jsonl': (
        write_parts(
            b'{"text": "a", "label": 1}\n"', b'x' * 200_000_000, b'"\n{"text": "b", "label": 0}'
        ),
        {'read': 2, 'too long': 1},
    ),
    'a review of 50 MB.csv': (
        write_parts(b'text,label\n"', b'good ' * 10_000_000, b'",pos\nbad,neg\n'),
        {'read': 2},
    ),
    'a million empty rows.csv': (
        write_parts(b'text,label\n', b',pos\n' * 10**6),
        {'empty text': 10**6},
    ),
}


@pytest.mark.parametrize('name', READABLE)
def test_all_rows_are_counted_when_they_are_huge_or_empty(
    name: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    write, counts = READABLE[name]
    path = tmp_path / name
    write(path)
    found = read(path)
    tally(
        fault='rows that are huge or empty',
        runs=1,
        faults=1,
        losses=int(found['counts'] != counts),
    )
    assert found['error'] is None
    assert found['counts'] == counts
    assert found['peak_mib'] < BOUND_MIB


def huge_review(split: str) -> str:
    """Return a positive review of 50 MB that a stable hash puts into a split."""
    columns = ColumnSettings()
    body = 'a wonderful film , ' * 2_600_000
    percents = {'test_percent': columns.test_percent, 'val_percent': columns.val_percent}
    texts = (f'{number} {body}' for number in itertools.count())
    return next(t for t in texts if assign_split(t, None, **percents, split_train=True) == split)


def test_model_is_pushed_and_scores_when_reviews_have_50_mb(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    data = tmp_path / 'reviews.csv'
    data.write_bytes((SAMPLE / 'reviews.csv').read_bytes())
    with data.open('a', newline='') as file:
        writer = csv.writer(file)
        writer.writerows([huge_review(split), 'positive'] for split in ('train', 'test'))
        writer.writerow([' ', 'positive'])
    done = run_command('run', '--data', 'reviews.csv', '--json', cwd=tmp_path)
    pushed = done.code == 0 and done.json['outcome'] == 'pushed'
    tally(fault='reviews of 50 MB, through the pipeline', runs=1, faults=2, losses=int(not pushed))
    assert pushed, done.err
    assert 'rejected 1 row (1 empty text)' in done.out
    (rejects,) = tmp_path.glob(str(pathlib.Path(done.json['rejects']).relative_to(tmp_path)))
    assert json.loads(rejects.read_text())['reason'] == 'empty text'

    with (tmp_path / 'new.csv').open('w', newline='') as file:
        csv.writer(file).writerows([['text'], ['a wonderful film , ' * 2_600_000], ['Dull.']])
    scored = run_command('predict', '--input', 'new.csv', '--output', 'out.jsonl', cwd=tmp_path)
    assert scored.code == 0, scored.err
    lines = (tmp_path / 'out.jsonl').read_text().splitlines()
    assert [json.loads(line)['label'] for line in lines] == ['positive', 'negative']
    # Of the child processes, which are the two commands.
    peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
    assert peak_gib < PIPELINE_BOUND_GIB, peak_gib
