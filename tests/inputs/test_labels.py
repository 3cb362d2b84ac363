"""Labels as people have them."""

from __future__ import annotations

import collections
import csv
import io
import pathlib
import tempfile

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.common.atomic_write import UNFINISHED
from components.common.errors import DataError, NotBlessedError
from components.common.settings import ColumnSettings
from components.example_gen.batches import Batch, SourceKind
from components.example_gen.row_counts import DROPS, summarize
from components.example_gen.workers import WriteShards
from components.schema.component import CURATED_SCHEMA
from pipeline.doctor import run as doctor
from pipeline.doctor.data import CHECKS
from pipeline.doctor.finding import find_all
from pipeline.settings.config import DataConfig
from tests.components.example_gen.test_workers import write_bundle
from tests.conftest import call_command
from tests.inputs.cases import Case, check_case, context_of


def table(*labels: str) -> dict[str, bytes]:
    """Return a file with three texts for each label."""
    file = io.StringIO(newline='')
    writer = csv.writer(file)
    writer.writerow(['text', 'label'])
    writer.writerows(
        (f'film {number} of {n}', label) for number in range(60) for n, label in enumerate(labels)
    )
    return {'a.csv': file.getvalue().encode()}


CASES = [
    Case(
        name='labels -1, 0, 1',
        files=table('-1', '0', '1'),
        error=['expected two label values, got 3'],
        scored=False,
    ),
    Case(
        name='labels pos, neg, 1, 0',
        files=table('pos', 'neg', '1', '0'),
        error=['got 4', "'pos' (60)"],
        scored=False,
    ),
    Case(
        name='labels positive, neutral, negative',
        files=table('positive', 'neutral', 'negative'),
        error=["got 'neutral'", '--drop-label'],
        scored=False,
    ),
    Case(
        name='a value in no list',
        files=table('1', '3', '5'),
        columns={'labels': {'positive': ['5'], 'negative': ['1']}},
        error=["the label '3' is in no list", '--drop-label'],
        scored=False,
    ),
    Case(
        name='one side only, in a small file',
        files=table('pos', 'positive'),
        error=["all labels are the same: 'pos' (60), 'positive' (60)"],
        scored=False,
    ),
    Case(
        name='all rows left out',
        files=table('3', '3.0'),
        columns={'labels': {'drop': ['3']}},
        error=['the data holds no labelled text'],
        scored=False,
    ),
    Case(
        name='three values for one positive label',
        files=table('spam', 'ham', 'eggs'),
        columns={'positive_label': 'spam'},
        error=['expected two label values, got 3', '--negative-label'],
        scored=False,
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_run_and_doctor_refuse_labels(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


# After ExampleGen, labels are 0 and 1: only one of these runs trains a model.
@pytest.mark.parametrize(
    ('labels', 'options', 'note'),
    [
        (('1', '1.0', '0', '0.0'), '', "'0' or '1'"),
        (('Pos', 'pos ', 'NEG'), '', "'neg' or 'pos'"),
        (
            ('1', '2', '3', '4', '5.0'),
            '--positive-label 4 --positive-label 5 --negative-label 1 --negative-label 2 '
            '--drop-label 3',
            "'negative' or 'positive'; left out 60 rows by label (60 '3')",
        ),
        (('-1', '0', '1'), '--drop-label=-1', "left out 60 rows by label (60 '-1')"),
        (('Spam', 'spam', 'ham'), '--positive-label spam', "'ham' or 'Spam'"),
    ],
)
def test_run_reads_labels(
    labels: tuple[str, ...],
    options: str,
    note: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is installed is not of interest, and takes 5 s.
    monkeypatch.delitem(doctor.AREAS, 'installation')
    ((name, content),) = table(*labels).items()
    (tmp_path / name).write_bytes(content)
    given = ['--data', name, *options.split(), '--preset', 'tutorial']
    given += ['--set', 'trainer.model.epochs=1']
    found = call_command('doctor', *given, '--json', cwd=tmp_path)
    assert not [each for each in found.json if each['area'] == 'data' and each['exit_code']]
    codes = {0, NotBlessedError.exit_code}
    if '--drop-label 3' not in options:
        schema = CURATED_SCHEMA.read_text()
        strict = schema.replace('min_examples_count: 20', 'min_examples_count: 7000')
        (tmp_path / 'strict.pbtxt').write_text(strict)
        given += ['--set', 'data.schema_file=strict.pbtxt']
        codes = {DataError.exit_code}
    run = call_command('run', *given, '--json', cwd=tmp_path)
    assert run.code in codes, run.err
    assert run.states()['ExampleGen'] == 'executed'
    assert note in next(node['note'] for node in run.json['nodes'])


_SPELLINGS = ['1', '1.0', ' 1', '0', '-1', 'pos', 'POS ', 'Neg', 'negative', '3', '3.0', '5', 'да']
_LISTS = st.lists(st.sampled_from(_SPELLINGS), max_size=2)


@hypothesis_settings(deadline=None, max_examples=150)
@given(
    spellings=st.lists(st.sampled_from([*_SPELLINGS, 'spam', 'x' * 50]), min_size=1, max_size=5),
    lists=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(('positive', 'negative', 'drop'), _LISTS)
    ),
)
def test_run_and_doctor_agree_when_labels_and_lists_are_any(
    spellings: list[str], lists: dict[str, list[str]]
) -> None:
    try:
        columns = ColumnSettings.model_validate({'labels': lists, 'split_column': 'split'})
    except ValidationError:
        assume(False)
    rows = [
        f'film,{spelling},{split}\n' for spelling in spellings for split in ('train', 'val', 'test')
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / 'a.csv'
        path.write_text('text,label,split\n' + ''.join(rows))
        counts, error = _count_by_run(path, columns, folder)
        data = DataConfig(path=str(path), columns=columns)
        findings = {each.subject: each for each in find_all(CHECKS, context_of(folder, data))}
    problems = [each for each in findings.values() if each.error is not None]
    assert [(each.message, each.hint) for each in problems] == ([error] if error else [])
    if not error:
        shown = findings['rows'].message.partition(': ')[2].split(', ')
        assert sorted(shown) == sorted(f'{n:,} {name[:40]!r}' for name, n in counts.items())


def _count_by_run(
    path: pathlib.Path, columns: ColumnSettings, folder: pathlib.Path
) -> tuple[dict[str, int], tuple[str, str] | None]:
    """Return the rows by label as ExampleGen counts them, and its error."""
    (folder / UNFINISHED).mkdir(exist_ok=True)
    writer = WriteShards(
        SourceKind.TABLES, columns, split_train=False, uri=str(folder), shard_bytes=1 << 20
    )
    result = write_bundle(writer, [Batch(None, [str(path)])])
    if result.fatal:
        return {}, result.fatal[0]
    labels: collections.Counter[str] = collections.Counter()
    for (kind, detail), count in result.counts.items():
        labels[detail if kind == DROPS else detail[1:]] += count
    try:
        summarize(result.counts, columns)
    except DataError as err:
        return {}, (str(err), err.hint)
    return labels, None
