"""Labels as people have them."""

from __future__ import annotations

import csv
import io
import pathlib

import pytest

from components.common.errors import NotBlessedError
from tests.conftest import call_command
from tests.inputs.cases import Case, check_case


def table(*labels: str) -> dict[str, bytes]:
    """Return a file with three texts for each label."""
    file = io.StringIO(newline='')
    writer = csv.writer(file)
    writer.writerow(['text', 'label'])
    writer.writerows(
        (f'film {number} of {n}', label) for number in range(60) for n, label in enumerate(labels)
    )
    return {'a.csv': file.getvalue().encode()}


REFUSED = [
    Case(name='-1, 0, 1', files=table('-1', '0', '1'), error=['expected two label values, got 3']),
    Case(name='two pairs', files=table('pos', 'neg', '1', '0'), error=['got 4', "'pos' (60)"]),
    Case(
        name='neutral',
        files=table('positive', 'neutral', 'negative'),
        error=["got 'neutral'", '--drop-label'],
    ),
    Case(
        name='a value in no list',
        files=table('1', '3', '5'),
        columns={'labels': {'positive': ['5'], 'negative': ['1']}},
        error=["the label '3' is in no list", '--drop-label'],
    ),
    Case(
        name='three values for one positive label',
        files=table('spam', 'ham', 'eggs'),
        columns={'positive_label': 'spam'},
        error=['expected two label values, got 3', '--negative-label'],
    ),
]


@pytest.mark.parametrize('case', REFUSED, ids=lambda case: case.name)
def test_run_and_doctor_refuse_labels(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


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
    labels: tuple[str, ...], options: str, note: str, tmp_path: pathlib.Path
) -> None:
    ((name, content),) = table(*labels).items()
    (tmp_path / name).write_bytes(content)
    given = ['--data', name, *options.split(), '--preset', 'tutorial']
    given += ['--set', 'trainer.model.epochs=1']
    doctor = call_command('doctor', *given, '--json', cwd=tmp_path)
    assert not [each for each in doctor.json if each['area'] == 'data' and each['exit_code']]
    run = call_command('run', *given, '--json', cwd=tmp_path)
    assert run.code in (0, NotBlessedError.exit_code)
    assert note in next(node['note'] for node in run.json['nodes'])
