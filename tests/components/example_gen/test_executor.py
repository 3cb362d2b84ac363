from __future__ import annotations

import collections
import dataclasses
import functools
import json
import pathlib
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import tensorflow as tf
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.types import artifact_utils, standard_artifacts

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.component import make_example_gen
from components.example_gen.group_counts import GroupCounts
from components.example_gen.sources import discover
from components.example_gen.summary import ExamplesSummary
from tests.components.example_gen.samples import encode_archive, encode_table
from tests.conftest import LOCAL_BEAM_ARGS


class Row(NamedTuple):
    text: str
    label: int
    split: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generated:
    """An artifact that ExampleGen wrote, its summary, and the examples of each split."""

    artifact: standard_artifacts.Examples
    folder: pathlib.Path
    summary: ExamplesSummary
    examples: dict[str, list[tf.train.Example]]

    def rows(self, *splits: str) -> collections.Counter[tuple[str, int]]:
        """Return how often each pair of text and label is in these splits."""
        return collections.Counter(
            (
                example.features.feature['text'].bytes_list.value[0].decode(),
                example.features.feature['label'].int64_list.value[0],
            )
            for split in splits
            for example in self.examples[split]
        )

    def rejects(self) -> list[dict[str, str]]:
        """Return the reported reason and place of each rejected row."""
        lines = [
            json.loads(line)
            for path in (self.folder / 'report').glob('rejects*')
            for line in path.read_text().splitlines()
        ]
        return sorted(lines, key=lambda line: str(line['where']))


def resolve(node: FileBasedExampleGen) -> dict[str, Any]:
    """Run the node's driver, which adds the fingerprint of the data."""
    driver = node.DRIVER_CLASS(None)
    found: dict[str, Any] = driver.resolve_exec_properties(dict(node.exec_properties), None, None)
    return found


def execute(node: FileBasedExampleGen, output: pathlib.Path) -> standard_artifacts.Examples:
    """Run the node's driver and executor, as the pipeline does."""
    exec_properties = resolve(node)
    executor_class = node.executor_spec.executor_class
    context = executor_class.Context(
        beam_pipeline_args=LOCAL_BEAM_ARGS, tmp_dir=str(output / 'tmp'), unique_id='1'
    )
    artifact = standard_artifacts.Examples()
    artifact.uri = str(output / 'examples')
    executor_class(context).Do({}, {'examples': [artifact]}, exec_properties)
    return artifact


def generate(data: pathlib.Path, output: pathlib.Path, **columns: Any) -> Generated:
    """Find the data and run the node on it."""
    settings = ColumnSettings(**columns)
    artifact = execute(make_example_gen(discover(str(data), settings), settings), output)
    folder = pathlib.Path(artifact.uri)
    return Generated(
        artifact=artifact,
        folder=folder,
        summary=ExamplesSummary.read(artifact.uri),
        examples={
            split: [
                tf.train.Example.FromString(record)
                for record in tf.data.TFRecordDataset(
                    [str(path) for path in split_folder.iterdir()], compression_type='GZIP'
                ).as_numpy_iterator()
            ]
            for split_folder in folder.glob('Split-*')
            for split in [split_folder.name.removeprefix('Split-')]
        },
    )


def make_rows(count: int, name: str, split: str | None = None) -> list[Row]:
    return [Row(f'{name} {number} of many', number % 2, split) for number in range(count)]


def table_rows(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [
        {'text': row.text, 'label': ('neg', 'pos')[row.label], 'fold': row.split} for row in rows
    ]


def write_table(path: pathlib.Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_table(path.name, table_rows(rows)))


class Case(NamedTuple):
    """Data, the rows that it holds, and the settings to read it with."""

    data: pathlib.Path
    rows: list[Row]
    columns: Mapping[str, str] = types.MappingProxyType({})


SPECIAL = [
    Row('The same text again', 1),
    Row('The same text again', 1),
    Row('The same text again', 0),
    Row('line one\nline two\r\n\tline three', 0),
    Row('Naïve café, 傑作, 😀, e\u0301', 1),
    Row('<br /><br />She said "no", twice.', 0),
    Row('  ...  ', 1),
    Row('word ' * 5_000, 1),
]


def one_table(folder: pathlib.Path) -> Case:
    rows = SPECIAL + make_rows(388, 'Text')  # 396 good and 4 bad: 1 %, which is the limit
    content = encode_table('reviews.csv', table_rows(rows)).decode()
    bad = [',pos,\r\n', 'no label,,\r\n', 'two fields,pos\r\n', 'Caf\udce9,neg,\r\n']
    content += ''.join(bad)
    (folder / 'reviews.csv').write_bytes(content.encode('utf-8', 'surrogateescape'))
    return Case(folder / 'reviews.csv', rows)


def many_tables(folder: pathlib.Path) -> Case:
    rows = []
    for name in ('[1].csv', '1.csv', 'b c.tsv', 'ünï.jsonl', 'd.csv.gz', 'e.jsonl.gz', '*.tsv.gz'):
        part = make_rows(40, name)
        write_table(folder / name, part)
        rows += part
    return Case(folder, rows)


def files_named_by_split(folder: pathlib.Path) -> Case:
    rows = []
    for name, count in (('train-1', 100), ('train-2', 30), ('test', 40)):
        part = make_rows(count, name, split=name.split('-')[0])
        write_table(folder / f'{name}.csv', part)
        rows += part
    return Case(folder, rows)


def files_named_by_split_with_val(folder: pathlib.Path) -> Case:
    rows = []
    for name, split in (('train', 'train'), ('validation', 'val'), ('test', 'test')):
        part = make_rows(40, name, split)
        write_table(folder / f'{name}.jsonl', part)
        rows += part
    return Case(folder, rows)


def split_column(folder: pathlib.Path) -> Case:
    rows = make_rows(100, 'learn', 'train') + make_rows(40, 'check', 'test')
    write_table(folder / 'reviews.tsv', rows)
    return Case(folder / 'reviews.tsv', rows, {'split_column': 'fold'})


def split_column_with_val(folder: pathlib.Path) -> Case:
    # Only the last file, and only one row of each label in it, names val.
    rows = make_rows(100, 'learn', 'train') + make_rows(40, 'check', 'test')
    write_table(folder / 'a.csv', rows)
    last = make_rows(2, 'tune', 'val')
    write_table(folder / 'b.csv', last)
    return Case(folder, rows + last, {'split_column': 'fold'})


# Names of the data that has unlabelled texts.
IMDB_DATA = ('aclImdb_v1.tar.gz', 'aclImdb')


def imdb_rows() -> list[Row]:
    # One folder has more files than one Beam element holds.
    rows = [Row(f'Good film {number}.', 1, 'train') for number in range(501)]
    rows += [Row(f'Bad film {number}.', 0, 'train') for number in range(60)]
    return rows + make_rows(40, 'Seen', 'test')


def imdb_members() -> list[tuple[str, bytes]]:
    members = [('aclImdb/README', b'Large Movie Review Dataset v1.0')]
    members += [(f'aclImdb/train/unsup/{n}_0.txt', b'Who knows.') for n in range(20)]
    for number, row in enumerate(imdb_rows()):
        path = f'aclImdb/{row.split}/{("neg", "pos")[row.label]}/{number}_5.txt'
        members.append((path, row.text.encode()))
    return members


def imdb_archive(folder: pathlib.Path) -> Case:
    (folder / 'aclImdb_v1.tar.gz').write_bytes(encode_archive(imdb_members()))
    return Case(folder / 'aclImdb_v1.tar.gz', imdb_rows())


def imdb_folder(folder: pathlib.Path) -> Case:
    for name, content in imdb_members():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return Case(folder / 'aclImdb', imdb_rows())


def table_in_a_folder_named_like_a_pattern(folder: pathlib.Path) -> Case:
    rows = make_rows(60, 'Text')
    write_table(folder / 'reviews [1]' / '[1].csv', rows)
    write_table(folder / 'reviews 1' / '1.csv', make_rows(60, 'Other'))
    return Case(folder / 'reviews [1]' / '[1].csv', rows)


CASES: list[Callable[[pathlib.Path], Case]] = [
    one_table,
    many_tables,
    table_in_a_folder_named_like_a_pattern,
    files_named_by_split,
    files_named_by_split_with_val,
    split_column,
    split_column_with_val,
    imdb_archive,
    imdb_folder,
]


Run = tuple[Case, Generated]


@pytest.fixture(scope='module')
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., Case]], Run]:
    """Run ExampleGen on a case, once for all tests of this module."""

    @functools.cache
    def run(make_case: Callable[[pathlib.Path], Case]) -> Run:
        case = make_case(tmp_path_factory.mktemp('data'))
        return case, generate(case.data, tmp_path_factory.mktemp('run'), **case.columns)

    return run


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def run(request: pytest.FixtureRequest, run_of: Callable[..., Run]) -> Run:
    return run_of(request.param)


def test_each_row_is_written_once_when_data_is_read(run: Run) -> None:
    case, generated = run
    expected = collections.Counter((row.text, row.label) for row in case.rows)
    assert generated.rows('train', 'val', 'test') == expected
    for example in (each for split in features.SPLITS for each in generated.examples[split]):
        feature = example.features.feature
        assert set(feature) == {'text', 'label', 'length'}
        (text,) = feature['text'].bytes_list.value
        bucket = features.length_bucket(len(text.decode().split()))
        assert list(feature['length'].bytes_list.value) == [bucket.encode()]


def test_artifact_has_summary_and_properties_when_it_is_written(run: Run) -> None:
    case, generated = run
    for split in ('train', 'val', 'test'):
        labels = collections.Counter(label for _, label in generated.rows(split).elements())
        assert generated.summary.splits[split] == (labels[0], labels[1])
    assert generated.summary.labels == ('neg', 'pos')
    assert generated.summary.rejects == len(generated.rejects())
    artifact = generated.artifact
    splits = ['train', 'val', 'test', *(['unsup'] if case.data.name in IMDB_DATA else [])]
    assert artifact_utils.decode_split_names(artifact.split_names) == splits
    assert artifact.get_string_custom_property('payload_format') == 'FORMAT_TF_EXAMPLE'
    assert artifact.get_string_custom_property('file_format') == 'tfrecords_gzip'
    folders = {path.name for path in generated.folder.iterdir() if path.is_dir()} - {'report'}
    assert folders == {f'Split-{split}' for split in splits}


@pytest.mark.parametrize('make_case', [imdb_archive, imdb_folder])
def test_unlabelled_texts_have_their_own_split_when_the_data_has_some(
    make_case: Callable[..., Case], run_of: Callable[..., Run]
) -> None:
    _, generated = run_of(make_case)
    examples = generated.examples['unsup']
    assert len(examples) == generated.summary.unlabelled == 20
    assert generated.summary.examples('unsup') == 20
    for example in examples:
        assert set(example.features.feature) == {'text', 'length'}
        assert example.features.feature['text'].bytes_list.value[:] == [b'Who knows.']


def test_unlabelled_texts_are_left_out_when_settings_exclude_them(
    tmp_path: pathlib.Path,
) -> None:
    case = imdb_archive(tmp_path)
    generated = generate(case.data, tmp_path / 'run', use_unlabelled=False)
    splits = artifact_utils.decode_split_names(generated.artifact.split_names)
    assert splits == ['train', 'val', 'test']
    assert generated.summary.unlabelled == 0
    assert not (generated.folder / 'Split-unsup').exists()


def test_equal_texts_share_a_split_when_they_occur_more_than_once(run: Run) -> None:
    _, generated = run
    texts = [{text for text, _ in generated.rows(split)} for split in ('train', 'val', 'test')]
    assert sum(map(len, texts)) == len(set().union(*texts))


def rows_named(case: Case, split: str) -> collections.Counter[tuple[str, int]]:
    return collections.Counter((r.text, r.label) for r in case.rows if r.split == split)


@pytest.mark.parametrize(
    'make_case', [files_named_by_split, split_column, imdb_archive, imdb_folder]
)
def test_val_is_taken_from_train_only_when_data_names_no_val(
    make_case: Callable[..., Case], run_of: Callable[..., Run]
) -> None:
    case, generated = run_of(make_case)
    assert generated.rows('test') == rows_named(case, 'test')
    assert generated.rows('train', 'val') == rows_named(case, 'train')
    share = generated.summary.examples('val') / rows_named(case, 'train').total()
    assert share == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize('make_case', [files_named_by_split_with_val, split_column_with_val])
def test_train_is_kept_whole_when_data_names_val(
    make_case: Callable[..., Case], run_of: Callable[..., Run]
) -> None:
    case, generated = run_of(make_case)
    for split in ('train', 'val', 'test'):
        assert generated.rows(split) == rows_named(case, split)


def test_rejects_have_reason_and_line_when_the_limit_is_reached(
    run_of: Callable[..., Run],
) -> None:
    case, generated = run_of(one_table)
    first = case.data.read_bytes().count(b'\n') - 3
    reasons = ['empty text', 'no label', 'not 3 fields', 'not UTF-8']
    assert generated.rejects() == [
        {'reason': reason, 'where': f'reviews.csv:{line}'}
        for line, reason in enumerate(reasons, start=first)
    ]
    assert generated.summary.rejected == dict.fromkeys(reasons, 1)


def test_settings_reach_the_executor_when_columns_have_other_names(tmp_path: pathlib.Path) -> None:
    rows = [
        {'body': f'Message {number}', 'kind': ('ham', 'spam')[number % 2], 'text': 'not this'}
        for number in range(200)
    ]
    (tmp_path / 'mail.csv').write_bytes(encode_table('mail.csv', rows))
    generated = generate(
        tmp_path / 'mail.csv',
        tmp_path,
        text_column='body',
        label_column='kind',
        positive_label='spam',
        test_percent=50,
        val_percent=50,
    )
    assert generated.rows('train', 'val', 'test') == collections.Counter(
        (row['body'], number % 2) for number, row in enumerate(rows)
    )
    assert generated.summary.labels == ('ham', 'spam')
    shares = [generated.summary.examples(split) / 200 for split in ('train', 'val', 'test')]
    assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.12)


@pytest.mark.parametrize('named', [False, True])
def test_rows_of_a_group_share_a_split_when_a_column_names_it(
    named: bool, tmp_path: pathlib.Path
) -> None:
    rows = [
        {
            'text': f'About Film{film} {number}',
            'label': ('neg', 'pos')[(number + film) % 2],
            'film': film,
        }
        for number in range(6)
        for film in range(60)
    ]
    data = tmp_path / 'data'
    data.mkdir()
    if named:
        # Only val is taken from train, and films of train stay in test.
        (data / 'train.csv').write_bytes(encode_table('train.csv', rows[:300]))
        (data / 'test.csv').write_bytes(encode_table('test.csv', rows[300:]))
    else:
        # Two files, as two spans.
        (data / 'a.csv').write_bytes(encode_table('a.csv', rows[:180]))
        (data / 'b.jsonl').write_bytes(encode_table('b.jsonl', rows[180:]))
    generated = generate(data, tmp_path / 'run', group_column='film')
    films = {
        split: {text.split()[1] for text, _ in generated.rows(split)} for split in features.SPLITS
    }
    assert all(films.values())
    assert not films['train'] & films['val']
    if named:
        assert len(films['test']) == 60
        assert generated.summary.examples('test') == 60
    else:
        assert sum(map(len, films.values())) == 60
    shared = 60 if named else 0
    assert generated.summary.groups == GroupCounts(column='film', sampled=60, shared=shared)


def test_unusual_formats_are_counted_when_files_differ(tmp_path: pathlib.Path) -> None:
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'a.csv').write_text('text;label\n' + 'Fine "film;pos\nDull film;neg\n')
    for name in ('b.csv', 'c.tsv', 'd.jsonl'):
        write_table(data / name, make_rows(60, name))
    found = generate(data, tmp_path / 'run').summary
    assert found.formats == {"delimiter ';'": 1, '': 2}
    assert found.describe_formats() == "delimiter ';' in 1 of 3 files"


def test_cache_key_changes_when_the_group_column_does(tmp_path: pathlib.Path) -> None:
    write_table(tmp_path / 'a.csv', GOOD)
    configs = {
        make_example_gen(discover(str(tmp_path / 'a.csv'), columns), columns).exec_properties[
            'custom_config'
        ]
        for columns in (ColumnSettings(), ColumnSettings(group_column='fold'))
    }
    assert len(configs) == 2


GOOD = make_rows(60, 'Text')
PLAIN = table_rows(GOOD)


def table(name: str, rows: Sequence[dict[str, object]]) -> dict[str, bytes]:
    return {name: encode_table(name, rows)}


@pytest.mark.parametrize(
    ('files', 'columns', 'message', 'hint'),
    [
        pytest.param(
            table('a.csv', [*PLAIN, {'text': 'So-so.', 'label': 'neutral'}]),
            {},
            r"a\.csv:62: expected a label of a known pair .*, got 'neutral'",
            '--positive-label',
            id='unknown label',
        ),
        pytest.param(
            table('a.csv', [*PLAIN, {'text': 'So-so.', 'label': 'neutral'}]),
            {'positive_label': 'pos'},
            r"expected two label values, got 3: 'neg' \(30\), 'pos' \(30\), 'neutral' \(1\)",
            '--drop-label',
            id='third label',
        ),
        pytest.param(
            table('a.csv', [*table_rows(make_rows(395, 'Text')), *table_rows(4 * [Row('', 1)])]),
            {},
            r'4 of 399 rows \(1\.0%\) cannot be used \(4 empty text\); at most 1% may be',
            'max_rejected_percent',
            id='one reject too many',
        ),
        pytest.param(
            table('a.csv', PLAIN) | {'b.jsonl.gz': encode_table('b.jsonl.gz', PLAIN)[:-6]},
            {},
            r'b\.jsonl\.gz cannot be read to its end',
            'complete',
            id='one truncated table of two',
        ),
    ],
)
def test_node_fails_when_the_data_cannot_be_used_for_training(
    files: dict[str, bytes],
    columns: dict[str, Any],
    message: str,
    hint: str,
    tmp_path: pathlib.Path,
) -> None:
    data = tmp_path / 'data'
    data.mkdir()
    for name, content in files.items():
        (data / name).write_bytes(content)
    path = data / next(iter(files)) if len(files) == 1 else data
    with pytest.raises(DataError, match=message) as caught:
        generate(path, tmp_path, **columns)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 4
    assert not (tmp_path / 'examples' / 'summary.json').exists()


def test_node_fails_when_the_data_was_removed_before_it_ran(tmp_path: pathlib.Path) -> None:
    write_table(tmp_path / 'a.csv', GOOD)
    source = discover(str(tmp_path / 'a.csv'), ColumnSettings())
    node = make_example_gen(source, ColumnSettings())
    (tmp_path / 'a.csv').unlink()
    with pytest.raises(DataError, match=r'no file matches a\.csv in ') as caught:
        execute(node, tmp_path)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize('folder', ['data', 'data [1]'])
def test_cache_key_changes_when_a_file_does(folder: str, tmp_path: pathlib.Path) -> None:
    data = tmp_path / folder
    for name in ('train.csv', 'test.csv'):
        write_table(data / name, GOOD)
    node = make_example_gen(discover(str(data), ColumnSettings()), ColumnSettings())
    before = resolve(node)['input_fingerprint']
    assert before == resolve(node)['input_fingerprint']
    write_table(data / 'test.csv', GOOD[1:])
    assert resolve(node)['input_fingerprint'] != before
