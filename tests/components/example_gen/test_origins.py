from __future__ import annotations

import csv
import gzip
import io
import json
import pathlib
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.common import features
from components.common.errors import ComponentError
from components.common.settings import ColumnSettings
from components.example_gen.artifact_files import origin_files, split_files
from components.example_gen.batches import Batch, SourceKind, make_batches
from components.example_gen.component import make_example_gen
from components.example_gen.origins import Origin, OriginBuffer, find_origins
from components.example_gen.sources import discover
from tests.components.example_gen.samples import encode_archive
from tests.components.example_gen.test_executor import execute
from tests.components.example_gen.test_workers import make_writer, publish, write_bundle

ROWS = 60
LABELS = ('neg', 'pos')
Rows = list[dict[str, str]]


def make_rows(where: str, lines: list[int]) -> Rows:
    """Return rows whose texts say where they are; every tenth row has no text."""
    return [
        {
            'text': f'row at {where}:{line} of many' if number % 10 else '',
            'label': LABELS[number % 2],
        }
        for number, line in enumerate(lines)
    ]


def encode_csv(where: str, delimiter: str = ',') -> bytes:
    """Return a table in which each third row has three lines, and a blank line follows it."""
    file = io.StringIO(newline='')
    writer = csv.DictWriter(file, ['text', 'label'], delimiter=delimiter, lineterminator='\n')
    writer.writeheader()
    for number in range(ROWS):
        line = file.getvalue().count('\n') + 1
        row = make_rows(where, [line] * ROWS)[number]
        if number % 3 == 0:
            row['text'] += '\n\n'
        writer.writerow(row)
        if number % 3 == 0:
            file.write('\n')
    return file.getvalue().encode()


def encode_zip(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr(member, content)
    return file.getvalue()


def numbered(where: str, first: int = 1) -> Rows:
    return make_rows(where, [*range(first, first + ROWS)])


def write_parquet(path: pathlib.Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(rows), str(path), row_group_size=7)


def write_arrow(path: pathlib.Path, rows: Rows) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=7)


def write_tfrecord(path: pathlib.Path, rows: Rows) -> None:
    with tf.io.TFRecordWriter(str(path)) as file:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                example.features.feature[name].bytes_list.value.append(value.encode())
            file.write(example.SerializeToString())


def write_data(folder: pathlib.Path, name: str) -> None:
    path = folder / name
    if name.endswith('.parquet'):
        write_parquet(path, numbered(name))
    elif name.endswith('.arrow'):
        write_arrow(path, numbered(name))
    elif name.endswith('.tfrecord'):
        write_tfrecord(path, numbered(name))
    elif name.endswith('.json'):
        path.write_text(json.dumps(numbered(name)))
    elif name.endswith('.zip'):
        path.write_bytes(encode_zip('inside.csv', encode_csv('inside.csv')))
    elif '.jsonl' in name:
        content = ''.join(json.dumps(row) + '\n' for row in numbered(name)).encode()
        path.write_bytes(gzip.compress(content) if name.endswith('.gz') else content)
    else:
        content = encode_csv(name, '\t' if '.tsv' in name else ',')
        path.write_bytes(gzip.compress(content) if name.endswith('.gz') else content)


def read_texts(uri: str, split: str) -> list[str]:
    records = tf.data.TFRecordDataset(split_files(uri, split), 'GZIP')
    return [
        tf.train.Example.FromString(record).features.feature['text'].bytes_list.value[0].decode()
        for record in records.as_numpy_iterator()
    ]


def require_origins(uri: str, split: str) -> int:
    """Check that each example has the origin that its text says; return their number."""
    texts = read_texts(uri, split)
    found = find_origins(uri, split, range(len(texts)))
    for row, text in enumerate(texts):
        origin = found[row]
        where = origin.file if origin.line is None else f'{origin.file}:{origin.line}'
        assert f'row at {where} of' in text
    return len(texts)


@pytest.mark.parametrize(
    'name',
    [
        *('a.csv', 'a.tsv', 'a.csv.gz', 'a.zip', 'a.jsonl', 'a.jsonl.gz', 'a.json'),
        *('a.parquet', 'a.arrow', 'a.tfrecord'),
    ],
)
def test_each_example_has_the_line_of_its_row_when_a_table_is_read(
    name: str, tmp_path: pathlib.Path
) -> None:
    write_data(tmp_path, name)
    settings = ColumnSettings(max_rejected_percent=50)
    node = make_example_gen(discover(str(tmp_path / name), settings), settings)
    uri = execute(node, tmp_path).uri
    counts = [require_origins(uri, split) for split in features.SPLITS]
    # Every tenth row is rejected, and counts as a line all the same.
    assert sum(counts) == ROWS * 9 // 10
    assert all(counts)
    assert len(origin_files(uri)) == 3


@pytest.mark.parametrize('extracted', [False, True])
def test_each_example_has_the_file_of_its_review_when_imdb_is_read(
    extracted: bool, tmp_path: pathlib.Path
) -> None:
    members = [
        (f'aclImdb/{split}/{label}/{n}_{stars}.txt', stars)
        for split in ('train', 'test')
        for label, stars in (('neg', 1), ('pos', 9))
        for n in range(30)
    ]
    prefix = 'aclImdb/' if extracted else ''
    files = [(name, f'row at {name.removeprefix(prefix)} of many'.encode()) for name, _ in members]
    files += [('aclImdb/train/unsup/0_0.txt', b'no label')]
    for name, content in files if extracted else []:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    data = tmp_path / ('aclImdb' if extracted else 'a.tar.gz')
    if not extracted:
        data.write_bytes(encode_archive(files))
    settings = ColumnSettings(use_unlabelled=True)
    uri = execute(make_example_gen(discover(str(data), settings), settings), tmp_path / 'o').uri
    assert sum(require_origins(uri, split) for split in features.SPLITS) == 120
    assert origin_files(uri, features.UNLABELLED_SPLIT) == []


def test_file_names_its_folder_when_files_in_folders_have_the_same_name(
    tmp_path: pathlib.Path,
) -> None:
    for folder in ('train', 'test'):
        (tmp_path / 'data' / folder).mkdir(parents=True)
        rows = numbered(f'{folder}/0000.parquet')
        write_parquet(tmp_path / 'data' / folder / '0000.parquet', rows)
    settings = ColumnSettings(max_rejected_percent=50)
    node = make_example_gen(discover(str(tmp_path / 'data'), settings), settings)
    uri = execute(node, tmp_path).uri
    assert sum(require_origins(uri, split) for split in features.SPLITS) == 2 * ROWS * 9 // 10


@pytest.mark.parametrize('shard_bytes', [1, 300, 1 << 20])
@pytest.mark.parametrize('names_val', [False, True])
def test_origins_are_in_the_order_of_examples_when_there_are_shards(
    shard_bytes: int, names_val: bool, tmp_path: pathlib.Path
) -> None:
    batches = []
    for name in ('b.jsonl', 'a.jsonl'):
        rows = numbered(name)
        for number, row in enumerate(rows):
            row['fold'] = 'val' if names_val and number % 7 == 0 else 'train'
        (tmp_path / name).write_text(''.join(json.dumps(row) + '\n' for row in rows))
        batches.append(Batch(None, [str(tmp_path / name)]))
    columns = ColumnSettings(split_column='fold')
    bundles = []
    for batch in batches:
        writer = make_writer(tmp_path, shard_bytes, columns=columns)
        write_bundle(writer, [batch])  # its result is lost, and the bundle is tried again
        bundles.append(write_bundle(writer, [batch]))
    for _ in range(2):
        result = publish(tmp_path, bundles)
    uri = str(tmp_path / 'out')
    assert sum(require_origins(uri, split) for split in ('train', 'val')) == 2 * ROWS * 9 // 10
    for split in ('train', 'val'):
        assert len(origin_files(uri, split)) == len(split_files(uri, split))
    found = {str(path) for path in pathlib.Path(uri).glob('[!.]*/*')}
    assert found == set(result['sizes'])
    for path, size in result['sizes'].items():
        assert pathlib.Path(path).stat().st_size == size


def test_origins_of_other_bundles_are_deleted_when_work_is_repeated(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'a.jsonl').write_text(''.join(json.dumps(r) + '\n' for r in numbered('a.jsonl')))
    batch = Batch('test', [str(tmp_path / 'a.jsonl')])
    publish(tmp_path, [write_bundle(make_writer(tmp_path, 300), [batch])])
    assert len(origin_files(str(tmp_path / 'out'))) > 1
    publish(tmp_path, [write_bundle(make_writer(tmp_path), [batch])])
    (path,) = origin_files(str(tmp_path / 'out'))
    assert path.endswith('/report/origins-test-00000-of-00001.txt.gz')


def test_origin_names_the_part_when_a_file_is_read_in_parts(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'a.jsonl'
    path.write_text(''.join(json.dumps(row) + '\n' for row in numbered('a.jsonl')))
    size = path.stat().st_size
    parts = list(make_batches(SourceKind.TABLES, 'test', [(str(path), size)], size // 2 + 1))
    publish(tmp_path, [write_bundle(make_writer(tmp_path), [part]) for part in parts])
    uri = str(tmp_path / 'out')
    texts = read_texts(uri, 'test')
    last = find_origins(uri, 'test', [len(texts) - 1])[len(texts) - 1]
    file, _, start = last.file.partition(', byte ')
    line = path.read_bytes()[int(start) :].splitlines()[(last.line or 0) - 1]
    assert (file, json.loads(line)['text']) == ('a.jsonl', texts[-1])


@pytest.mark.parametrize('store', ['', 'ram:/'])
def test_some_origins_are_found_when_shards_are_anywhere(
    store: str, tmp_path: pathlib.Path
) -> None:
    uri = f'{store}{tmp_path}/examples'
    tf.io.gfile.makedirs(f'{uri}/report')
    for shard in range(3):
        buffer = OriginBuffer()
        for line in range(2_500):
            buffer.add(f'{shard}.csv:{line + 2}')
        with tf.io.gfile.GFile(f'{uri}/report/origins-val-0000{shard}-of-00003.txt.gz', 'wb') as f:
            f.write(buffer.content())
    assert find_origins(uri, 'val', [7_499, 0, 2_500, 2_499, 0]) == {
        0: Origin('0.csv', 2),
        2_499: Origin('0.csv', 2_501),
        2_500: Origin('1.csv', 2),
        7_499: Origin('2.csv', 2_501),
    }
    assert find_origins(uri, 'val', []) == {}
    with pytest.raises(ComponentError, match='origin of example 7,501 of val .* found 7,500'):
        find_origins(uri, 'val', [7_500])


def test_origin_is_the_row_of_the_split_when_the_artifact_has_none(tmp_path: pathlib.Path) -> None:
    assert find_origins(str(tmp_path), 'test', [4]) == {4: Origin('', 5)}


@pytest.mark.parametrize(
    ('origin', 'expected'),
    [
        ('a:b.csv:7', Origin('a:b.csv', 7)),
        ('a\nb\n.csv:7', Origin('a b .csv', 7)),
        ('\udce9.csv:7', Origin('\N{REPLACEMENT CHARACTER}.csv', 7)),
        ('a\x85\u2028\r.csv:7', Origin('a\x85\u2028\r.csv', 7)),
        ('', Origin('', None)),
    ],
)
def test_each_origin_is_one_line_when_names_of_files_are_odd(
    origin: str, expected: Origin, tmp_path: pathlib.Path
) -> None:
    buffer = OriginBuffer()
    for each in ('first.csv:1', origin, 'last.csv:3'):
        buffer.add(each)
    path = tmp_path / 'report' / 'origins-test-00000-of-00001.txt.gz'
    path.parent.mkdir()
    path.write_bytes(buffer.content())
    found = find_origins(str(tmp_path), 'test', [0, 1, 2])
    assert [*found.values()] == [Origin('first.csv', 1), expected, Origin('last.csv', 3)]
