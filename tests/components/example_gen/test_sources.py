from __future__ import annotations

import glob
import gzip
import os
import pathlib

import pytest

from components.common.errors import ConfigError, DataError
from components.common.settings import ColumnSettings
from components.example_gen.batches import SourceKind
from components.example_gen.sources import DataSource, discover, split_of_input

TABLE = b'text,label\nFine.,pos\n'
LINES = b'{"text": "Fine.", "label": "pos"}\n'
IMDB_PATTERNS = (
    ('train-neg', 'train/neg/*.txt'),
    ('train-pos', 'train/pos/*.txt'),
    ('test-neg', 'test/neg/*.txt'),
    ('test-pos', 'test/pos/*.txt'),
)
SPANS = 'day-{YYYY}{MM}{DD}/*.csv'


def fill(folder: pathlib.Path, *names: str) -> pathlib.Path:
    """Write a small table, in the format of its name, for each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = LINES if '.jsonl' in name else TABLE
        content = content.replace(b',', b'\t') if '.tsv' in name else content
        path.write_bytes(gzip.compress(content) if name.endswith('.gz') else content)
    return folder


def find(path: pathlib.Path | str) -> DataSource:
    return discover(str(path), ColumnSettings())


def files_by_split(source: DataSource) -> dict[str | None, list[str]]:
    """Return the files that ExampleGen will read, below the base, by the split asked for."""
    found: dict[str | None, list[str]] = {}
    for name, pattern in source.patterns:
        paths = glob.glob(os.path.join(glob.escape(source.base), pattern))
        assert paths, pattern
        relative = [os.path.relpath(path, source.base) for path in paths]
        found.setdefault(split_of_input(name), []).extend(relative)
    return {split: sorted(paths) for split, paths in found.items()}


@pytest.mark.parametrize('name', ['aclImdb_v1.tar.gz', 'imdb.tgz', 'imdb.tar', 'IMDB.TAR.GZ'])
def test_archive_is_recognised_by_its_name_when_it_is_a_file(
    name: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / name).write_bytes(b'not opened yet')
    assert find(tmp_path / name) == DataSource(
        kind=SourceKind.IMDB_ARCHIVE, base=str(tmp_path), patterns=(('all', name),)
    )


@pytest.mark.parametrize('below', ['', 'aclImdb'])
@pytest.mark.parametrize('wanted', [True, False])
def test_imdb_folder_is_found_when_the_path_is_it_or_its_parent(
    below: str, wanted: bool, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path, 'aside.csv')
    for folder in ('train/pos', 'train/neg', 'train/unsup', 'test/pos', 'test/neg'):
        (tmp_path / below / folder).mkdir(parents=True)
    columns = ColumnSettings(use_unlabelled=wanted)
    found = discover(str(tmp_path), columns)
    assert found == DataSource(
        kind=SourceKind.IMDB_FOLDER, base=str(tmp_path / below), patterns=IMDB_PATTERNS
    )
    (tmp_path / below / 'train/unsup/0_0.txt').write_text('Who knows.')
    unlabelled = (('unsup', 'train/unsup/*.txt'),) if wanted else ()
    assert discover(str(tmp_path), columns).patterns == IMDB_PATTERNS + unlabelled


@pytest.mark.parametrize('others', [['train.csv', 'test.csv'], ['a.csv']])
@pytest.mark.parametrize('name', ['unsup.csv', 'Unlabelled-01.csv'])
def test_file_is_read_as_unlabelled_when_it_is_named_unsup(
    others: list[str], name: str, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path, *others)
    (tmp_path / name).write_text('text\nWho knows.\n')
    found = files_by_split(find(tmp_path))
    assert found.pop('unsup') == [name]
    assert sorted(file for files in found.values() for file in files) == sorted(others)
    source = discover(str(tmp_path), ColumnSettings(use_unlabelled=False))
    assert 'unsup' not in files_by_split(source)


@pytest.mark.parametrize('missing', ['train/neg', 'test/pos', 'test/neg'])
def test_error_names_the_folder_when_imdb_lacks_it(missing: str, tmp_path: pathlib.Path) -> None:
    for folder in {'train/pos', 'train/neg', 'test/pos', 'test/neg'} - {missing}:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match=f'looks like the IMDB data set, .* no folder {missing}'):
        find(tmp_path)


@pytest.mark.parametrize(
    'name',
    ['a.csv', 'A.CSV', 'a.csv.gz', 'a.tsv', 'a.tsv.gz', 'a.jsonl', 'a.jsonl.gz', 'train.csv'],
)
def test_table_has_no_split_when_it_is_the_only_file(name: str, tmp_path: pathlib.Path) -> None:
    fill(tmp_path, name, 'b.csv')
    source = find(tmp_path / name)
    assert (source.kind, source.base) == (SourceKind.TABLES, str(tmp_path))
    assert files_by_split(source) == {None: [name]}


def test_path_is_made_absolute_when_it_is_relative(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 'a.csv')
    monkeypatch.chdir(tmp_path)
    assert find('a.csv') == find('./a.csv') == find(tmp_path / 'a.csv')


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['b.csv', 'a.jsonl.gz', 'c.tsv'], {None: ['a.jsonl.gz', 'b.csv', 'c.tsv']}),
        (['train.csv', 'test.csv'], {'train': ['train.csv'], 'test': ['test.csv']}),
        (
            ['train.csv', 'test.csv', 'dev.csv'],
            {'train': ['train.csv'], 'test': ['test.csv'], 'val': ['dev.csv']},
        ),
        (
            ['Train-00.csv', 'train_01.jsonl', 'TEST.tsv.gz', 'validation.0.csv'],
            {
                'train': ['Train-00.csv', 'train_01.jsonl'],
                'test': ['TEST.tsv.gz'],
                'val': ['validation.0.csv'],
            },
        ),
        # Without both train and test the names cannot say the split.
        (['train.csv'], {None: ['train.csv']}),
        (['train-1.csv', 'train-2.csv'], {None: ['train-1.csv', 'train-2.csv']}),
        # Names that only start like a split name none.
        (['trainers.csv', 'testimonials.csv'], {None: ['testimonials.csv', 'trainers.csv']}),
        # Files that are no tables are ignored.
        (['a.csv', 'README.txt', 'LICENSE', 'more/b.csv'], {None: ['a.csv']}),
        (['a.csv', '.hidden.csv', '._a.csv'], {None: ['a.csv']}),
        (['a.csv', 'spark.csv/part-0.csv'], {None: ['a.csv']}),
        (['[1].csv', '1.csv', '*.csv', 'a?.csv'], {None: ['*.csv', '1.csv', '[1].csv', 'a?.csv']}),
    ],
)
def test_files_are_assigned_to_splits_when_the_path_is_a_folder(
    names: list[str], expected: dict[str | None, list[str]], tmp_path: pathlib.Path
) -> None:
    source = find(fill(tmp_path, *names))
    assert (source.kind, source.base) == (SourceKind.TABLES, str(tmp_path))
    assert files_by_split(source) == expected
    assert len({name for name, _ in source.patterns}) == len(source.patterns)


@pytest.mark.parametrize(
    ('pattern', 'expected'),
    [
        ('*.csv', {None: ['a.csv', 'b.csv']}),
        ('[ab].*', {None: ['a.csv', 'b.csv']}),
        ('?.csv', {None: ['a.csv', 'b.csv']}),
        ('*/*.tsv', {'train': ['x/train.tsv'], 'test': ['y/test.tsv']}),
        ('x/*.tsv', {None: ['train.tsv']}),
    ],
)
def test_matching_files_are_read_when_the_path_is_a_pattern(
    pattern: str, expected: dict[str | None, list[str]], tmp_path: pathlib.Path
) -> None:
    fill(tmp_path, 'a.csv', 'b.csv', 'c.csv.bak', 'x/train.tsv', 'y/test.tsv')
    assert files_by_split(find(tmp_path / pattern)) == expected


@pytest.mark.parametrize('folder', ['data', 'data [1]', 'why?', '*'])
@pytest.mark.parametrize('name', ['[1].csv', 'a*.csv', 'why?.csv', 'plain.csv'])
def test_only_the_named_file_is_read_when_its_name_looks_like_a_pattern(
    folder: str, name: str, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path / folder, name, '1.csv', 'ab.csv', 'whyx.csv')
    assert files_by_split(find(tmp_path / folder / name)) == {None: [name]}


@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('missing', 'no such file or folder: .*missing'),
        ('missing.csv', r'no such file or folder: .*missing\.csv'),
        ('missing/*.csv', r'no file matches .*missing/\*\.csv'),
        ('folder', 'no data in the folder .*folder'),
        ('empty.csv', r'the file is empty: .*empty\.csv'),
        ('empty.tar.gz', r'the file is empty: .*empty\.tar\.gz'),
        ('empty.c*', r'the file is empty: .*empty\.csv'),
        ('notes.txt', "cannot tell the format of 'notes.txt'"),
        ('reviews', "cannot tell the format of 'reviews'"),
        ('reviews.json', "no column 'text' in reviews.json"),
        ('reviews.orc', "cannot tell the format of 'reviews.orc'"),
        ('*.txt', r"the pattern matches 'notes\.txt', which is not a table"),
        ('not.csv.gz', 'not.csv.gz cannot be read to its end: '),
        ('not.jsonl', 'not.jsonl:1: the first row is not JSON'),
        ('list.jsonl', 'list.jsonl:1: the first row is not a JSON object'),
        ('other.csv', r"no column 'text' in other\.csv; its columns are 'review', 'stars'"),
        ('fifo.csv', 'neither a file nor a folder: '),
    ],
)
def test_error_states_the_problem_when_the_path_cannot_be_used(
    path: str, message: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'folder' / 'sub').mkdir(parents=True)
    os.mkfifo(tmp_path / 'fifo.csv')
    for name, content in {
        'empty.csv': b'',
        'empty.tar.gz': b'',
        'notes.txt': TABLE,
        'reviews': TABLE,
        'reviews.json': b'[]',
        'reviews.orc': b'ORC',
        'not.csv.gz': TABLE,
        'not.jsonl': TABLE,
        'list.jsonl': b'["Fine.", "pos"]\n',
        'other.csv': b'review,stars\nFine.,5\n',
    }.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        find(tmp_path / path)
    assert caught.value.exit_code == 4
    assert caught.value.hint


@pytest.mark.parametrize(
    ('names', 'path', 'message'),
    [
        (['a.csv', 'b.csv', 'empty.csv'], '', r'empty\.csv'),
        (['a.csv', 'b.csv', 'other.csv'], '', r'other\.csv'),
        (['train.csv', 'test.csv', 'a.csv'], '', r"\(test, train\), but 'a.csv' does not"),
        (['train.csv', 'val.csv'], '', 'name the splits train and val; train and test are needed'),
        (['unsup.csv'], '', 'all files hold texts without a label'),
        (
            ['day-20260102/train.csv', 'day-20260102/test.csv'],
            SPANS,
            'the files of span 2026-01-02 name their split',
        ),
    ],
)
def test_folder_is_refused_when_its_files_are_no_complete_data_set(
    names: list[str], path: str, message: str, tmp_path: pathlib.Path
) -> None:
    fill(tmp_path, *names)
    if 'empty.csv' in names:
        (tmp_path / 'empty.csv').write_bytes(b'')
    if 'other.csv' in names:
        (tmp_path / 'other.csv').write_bytes(b'review,label\n')
    with pytest.raises(DataError, match=message):
        find(f'{tmp_path}/{path}')


@pytest.mark.parametrize(
    ('base', 'name', 'spans'),
    [
        ('gs://b/imdb', 'aclImdb_v1.tar.gz', 0),
        ('gs://b', 'reviews.csv', 0),
        ('gs://b/x', 'part-*.jsonl.gz', 0),
        ('s3://b/x', '[ab].tsv', 0),
        ('/mnt/volume', 'reviews-*.csv', 0),
        ('/mnt/volume', 'reviews.csv', 0),
        ('gs://bucket', SPANS, 3),
        ('gs://bucket/reviews', SPANS, 3),
        ('/mnt/volume', SPANS, 3),
    ],
)
def test_only_the_name_is_checked_when_the_path_is_on_another_machine(
    base: str, name: str, spans: int
) -> None:
    path = f'{base}/{name}'
    kind = SourceKind.IMDB_ARCHIVE if '.tar' in name else SourceKind.TABLES
    expected = DataSource(kind=kind, base=base, patterns=(('all', name),), spans=spans)
    count = max(1, spans)
    assert discover(path, ColumnSettings(), elsewhere=True, spans=count) == expected
    if '://' in path:
        assert discover(path, ColumnSettings(), spans=count) == expected
    else:
        with pytest.raises(DataError, match='no such file|no file matches'):
            discover(path, ColumnSettings(), spans=count)


@pytest.mark.parametrize(
    'path',
    [
        *('gs://bucket', 'gs://bucket/folder/', 'gs://bucket/a.orc'),
        *('gs://bucket/{SPAN}', 'gs://bucket/{SPAN}.tar.gz', 'gs://bucket/{SPAN}/*'),
    ],
)
def test_error_lists_the_formats_when_a_remote_name_has_no_known_ending(path: str) -> None:
    with pytest.raises(DataError, match='cannot tell the format of ') as caught:
        find(path)
    assert '.csv' in caught.value.hint


def test_pattern_is_not_expanded_when_it_names_spans(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, 'day-20260101/a.csv', 'day-20260102/a.csv', 'day-20260102/b.csv')
    assert discover(f'{tmp_path}/{SPANS}', ColumnSettings(), spans=7) == DataSource(
        kind=SourceKind.TABLES, base=str(tmp_path), patterns=(('all', SPANS),), spans=7
    )


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('day-20260102/b.csv', b'', 'the file is empty'),
        ('day-20260102/b.csv', b'body,label\nFine.,pos\n', "no column 'text'"),
        ('day-20260231/b.csv', TABLE, 'does not name a day'),
        ('day-latest/b.csv', TABLE, 'does not match'),
    ],
)
def test_newest_span_is_checked_when_it_is_local(
    name: str, content: bytes, message: str, tmp_path: pathlib.Path
) -> None:
    # Older ones are not checked.
    fill(tmp_path, 'day-20260102/a.csv', name)
    (tmp_path / 'day-20251231').mkdir()
    (tmp_path / 'day-20251231' / 'a.csv').touch()
    assert find(f'{tmp_path}/day-{{YYYY}}{{MM}}{{DD}}/a.csv').spans == 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        find(f'{tmp_path}/{SPANS}')


@pytest.mark.parametrize('elsewhere', [True, False])
def test_error_names_the_folder_when_it_has_no_span(
    elsewhere: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf'no file matches day-.* in {tmp_path}'):
        discover(SPANS, ColumnSettings(), elsewhere=elsewhere)


def test_file_is_read_when_its_name_looks_like_a_span_pattern(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, '{SPAN}.csv')
    source = find(tmp_path / '{SPAN}.csv')
    assert (source.spans, files_by_split(source)) == (0, {None: ['{SPAN}.csv']})


def test_several_spans_are_refused_when_the_path_has_no_placeholder(tmp_path: pathlib.Path) -> None:
    fill(tmp_path, 'a.csv')
    with pytest.raises(ConfigError, match='data.spans is 7, but .* names no spans') as caught:
        discover(f'{tmp_path}/a.csv', ColumnSettings(), spans=7)
    assert '{SPAN}' in caught.value.hint


def test_other_entries_are_skipped_when_a_folder_is_read(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / 'a.csv')
    (tmp_path / 'b.csv').mkdir()
    (tmp_path / 'c.csv').write_bytes(TABLE)
    (tmp_path / 'd.csv').symlink_to('nothing')
    assert [pattern for _, pattern in find(tmp_path).patterns] == ['c.csv']


@pytest.mark.parametrize('in_folder', [True, False])
def test_error_can_be_printed_when_a_name_is_not_utf8(
    in_folder: bool, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / os.fsdecode(b'caf\xe9\n.csv')
    path.write_bytes(TABLE)
    with pytest.raises(DataError, match=r'the name .*caf\\udce9.* is not UTF-8') as caught:
        find(tmp_path if in_folder else path)
    assert str(caught.value).isprintable()


def discover_features(
    path: pathlib.Path | str, *features: str, elsewhere: bool = False
) -> DataSource:
    return discover(str(path), ColumnSettings(features=features), elsewhere=elsewhere)


def test_type_of_a_column_is_the_one_that_fits_all_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.csv').write_text('text,label,stars,product\nFine.,1,5,\n')
    (tmp_path / 'b.jsonl').write_text('{"text": "", "label": 0, "stars": 4.5, "product": "7"}\n')
    (tmp_path / 'unsup.csv').write_text('text\nFine.\n')
    found = discover_features(tmp_path, 'product', 'stars')
    assert found.features == ('product:string', 'stars:float')
    assert discover_features(tmp_path, 'stars:string').features == ('stars:string',)


def test_types_of_columns_are_those_of_the_newest_span(tmp_path: pathlib.Path) -> None:
    (tmp_path / '1.csv').write_text('text,label,stars\nFine.,1,five\n')
    (tmp_path / '2.csv').write_text('text,label,stars\nFine.,1,5\n')
    assert discover_features(tmp_path / '{SPAN}.csv', 'stars').features == ('stars:int',)


def test_feature_column_is_refused_when_a_file_lacks_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.csv').write_text('text,label,stars\nFine.,1,5\n')
    (tmp_path / 'b.csv').write_text('text,label,star\nFine.,1,5\n')
    with pytest.raises(DataError, match=r"no column 'stars' in b\.csv") as caught:
        discover_features(tmp_path, 'stars:int')
    assert caught.value.hint == "pass --set 'data.columns.features=[...]' with star"


def test_type_of_a_column_must_be_declared_when_no_value_tells_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.csv').write_text('text,label,stars\nFine.,1,\n')
    for path, message in {
        str(tmp_path / 'a.csv'): 'has no value in the first 1,000 rows',
        'gs://bucket/a.csv': 'cannot be read here',
        'gs://bucket/{SPAN}.csv': 'cannot be read here',
        '/elsewhere/a.csv': 'cannot be read here',
    }.items():
        with pytest.raises(ConfigError, match=f"type of 'stars' is not .* {message}$") as caught:
            discover_features(path, 'stars', elsewhere=True)
        assert caught.value.hint == 'declare it: stars:TYPE, with one of int, float, string'
        found = discover_features(path, 'stars:float', elsewhere=True)
        assert found.features == ('stars:float',)


def test_feature_columns_are_refused_when_the_data_is_no_table(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'aclImdb_v1.tar.gz').write_bytes(b'not opened yet')
    with pytest.raises(ConfigError, match='data.columns.features expects a table, and .* is none'):
        discover_features(tmp_path / 'aclImdb_v1.tar.gz', 'stars')
