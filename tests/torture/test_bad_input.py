"""Files that are made to take more memory, time or place than there is."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import pathlib
import subprocess
import sys
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import REPO, SAMPLE, run_command, snapshot
from tests.torture.conftest import Tally

# Of a process that reads, its imports included.
BOUND_MIB = 700
_MEGABYTES = bytes(1 << 24)
_READ = """
import json, resource, sys
from components.errors import DataError
from components.example_gen import imdb, tables
from components.settings import ColumnSettings

path, name, bound_mib = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(bound_mib) << 20,) * 2)
counts, error = {}, None
try:
    with open(path, 'rb') as file:
        if '.tar' in name:
            found = imdb.read_archive(file, name, unlabelled=True)
        else:
            found = tables.read_table(file, name, ColumnSettings(), None)
        for row in found:
            reason = getattr(row, 'reason', 'read')
            counts[reason] = counts.get(reason, 0) + 1
except DataError as err:
    error = str(err)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(json.dumps({'counts': counts, 'error': error, 'peak_mib': peak}))
"""


def read(path: pathlib.Path) -> dict[str, Any]:
    """Read a file in a process of its own, whose memory is bounded."""
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


def gzipped(head: bytes, block: bytes, times: int) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        member = gzip.compress(block, 9)
        with path.open('wb') as file:
            file.write(gzip.compress(head))
            for _ in range(times):
                file.write(member)

    return write


def packed(make: Callable[[], Any]) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        packer = make()
        with path.open('wb') as file:
            file.write(packer.compress(header(1 << 40)))
            for _ in range(80):
                file.write(packer.compress(_MEGABYTES))
            file.write(packer.flush())

    return write


def header(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo('aclImdb/train/pos/1_9.txt')
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def plain(*parts: bytes) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        with path.open('wb') as file:
            file.writelines(parts)

    return write


ENDS_SOON = 'unpacks to more than 200 times its size'
FILES: dict[str, tuple[Callable[[pathlib.Path], None], str]] = {
    '10 GB of one unclosed quote.csv.gz': (
        gzipped(b'text,label\n"', b'x' * (1 << 24), 640),
        ':2: the row is longer than 64,000,000 characters',
    ),
    '10 GB of one line.jsonl.gz': (gzipped(b'{"text": "', b'x' * (1 << 24), 640), ENDS_SOON),
    '10 GB of fields of one row.csv.gz': (
        gzipped(b'text,label\n', b'"\n",' * (1 << 20), 640),
        ':2: the row is longer than 64,000,000 characters',
    ),
    '10 GB of one review.tar.gz': (gzipped(header(1 << 40), _MEGABYTES, 640), ENDS_SOON),
    '1 GB of zeros.tar.xz': (packed(lambda: lzma.LZMACompressor(preset=1)), ENDS_SOON),
    '1 GB of zeros.tar.bz2': (packed(bz2.BZ2Compressor), ENDS_SOON),
    '10 million empty members.tar.gz': (gzipped(b'', header(0) * (1 << 15), 305), ENDS_SOON),
    'a member of 1 TB.tar': (plain(header(1 << 40), bytes(4_096)), 'unexpected end of data'),
    'a header of 1 TB.tar': (plain(header(1 << 33, b'L'), bytes(4_096)), 'an extended header of'),
    'a sparse file of 1 TB.tar': (plain(header(1 << 40, b'S'), bytes(4_096)), 'a sparse file'),
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


READABLE: dict[str, tuple[Callable[[pathlib.Path], None], dict[str, int]]] = {
    'a line of 200 MB.jsonl': (
        plain(b'{"text": "a", "label": 1}\n"', b'x' * 200_000_000, b'"\n{"text": "b", "label": 0}'),
        {'read': 2, 'too long': 1},
    ),
    'a review of 50 MB.csv': (
        plain(b'text,label\n"', b'good ' * 10_000_000, b'",pos\nbad,neg\n'),
        {'read': 2},
    ),
    'a million empty rows.csv': (plain(b'text,label\n', b',pos\n' * 10**6), {'empty text': 10**6}),
}


@pytest.mark.parametrize('name', READABLE)
def test_rows_are_all_accounted_for_when_they_are_huge_or_empty(
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


def test_model_is_pushed_and_scores_when_one_review_has_50_mb(
    tmp_path: pathlib.Path, tally: Tally
) -> None:
    data = tmp_path / 'data'
    data.mkdir()
    for path in SAMPLE.glob('*.csv'):
        (data / path.name).write_bytes(path.read_bytes())
    (train,) = data.glob('train*.csv')
    with train.open(newline='') as file:
        columns = next(csv.reader(file))
    huge = {'text': 'a wonderful film , ' * 2_600_000, 'label': 'positive'}
    with train.open('a', newline='') as file:
        csv.DictWriter(file, columns, restval='').writerow(huge)
        csv.DictWriter(file, columns, restval='').writerow({'text': ' ', 'label': 'positive'})
    before = snapshot(data)
    done = run_command('run', '--data', str(data), '--json', cwd=tmp_path)
    pushed = done.code == 0 and done.json['outcome'] == 'pushed'
    tally(fault='a review of 50 MB, through the pipeline', runs=1, faults=1, losses=int(not pushed))
    assert pushed, done.err
    assert snapshot(data) == before
    assert 'rejected 1 rows (1 empty text)' in done.out
    assert list(tmp_path.glob(str(pathlib.Path(done.json['rejects']).relative_to(tmp_path))))

    with (tmp_path / 'new.csv').open('w', newline='') as file:
        csv.writer(file).writerows([['text'], [huge['text']], ['Dull.']])
    scored = run_command('predict', '--input', 'new.csv', '--output', 'out.jsonl', cwd=tmp_path)
    assert scored.code == 0, scored.err
    lines = (tmp_path / 'out.jsonl').read_text().splitlines()
    assert [json.loads(line)['label'] for line in lines] == ['positive', 'negative']
