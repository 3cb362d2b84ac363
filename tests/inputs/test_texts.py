"""Texts that are numbers, or fields of an object, and columns that cannot be the text."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from components.readers.cells import find_cell
from tests.inputs.cases import Case, check_case


def _lines(*rows: dict[str, Any]) -> bytes:
    return ''.join(f'{json.dumps(row)}\n' for row in rows).encode()


CASES = [
    Case(
        name='numbers as texts',
        files={
            'a.jsonl': _lines(
                {'text': 5, 'label': 1},
                {'text': 4.5, 'label': 0},
                {'text': True, 'label': 1},
            )
        },
        rows=[('5', '1'), ('4.5', '0'), ('true', '1')],
    ),
    Case(
        name='field of an object',
        files={
            'a.jsonl': _lines(
                {'body': {'text': 'A fine film'}, 'meta': {'rating': {'label': 'pos'}}},
                {'body': {'text': 'A dull film'}, 'meta': {'rating': {'label': 'neg'}}},
            )
        },
        columns={'text_column': 'body.text', 'label_column': 'meta.rating.label'},
        rows=[('A fine film', 'pos'), ('A dull film', 'neg')],
    ),
    Case(
        name='column with a dot in its name',
        files={
            'a.jsonl': _lines(
                {'body.text': 'A fine film', 'body': {'text': 'other'}, 'label': 'pos'},
                {'body.text': 'A dull film', 'body': {'text': 'other'}, 'label': 'neg'},
            )
        },
        columns={'text_column': 'body.text'},
        rows=[('A fine film', 'pos'), ('A dull film', 'neg')],
    ),
    Case(
        name='object as text',
        files={'a.jsonl': _lines({'body': {'html': '<p>', 'text': 'x' * 5_000}, 'label': 1})},
        columns={'text_column': 'body'},
        error=[
            "a.jsonl:1: expected a text, got an object in the column 'body'",
            'pass --text-column body.text',
        ],
    ),
    Case(
        name='list as text',
        files={'a.jsonl': _lines({'text': ['x'] * 5_000, 'label': 1})},
        error=["a.jsonl:1: expected a text, got a list in the column 'text'"],
    ),
    Case(
        name='object as text of a later row',
        files={
            'a.jsonl': _lines(
                {'text': 'A fine film', 'label': 1},
                {'text': {'html': '<p>'}, 'label': 0},
                {'text': 'A dull film', 'label': 0},
            )
        },
        rows=[('A fine film', '1'), ('A dull film', '0')],
        rejected=["an object in the column 'text'"],
    ),
    Case(
        name='no such field',
        files={'a.jsonl': _lines({'body': {'text': 'A fine film'}, 'label': 1})},
        error=[
            "no column 'text' in a.jsonl; its columns are 'body', 'label', 'body.text'",
            'pass --text-column body.text',
        ],
        scored=False,
    ),
    Case(
        name='long names of many columns',
        files={
            'a.csv': (','.join(f'{number}{"x" * 500}' for number in range(20_000)) + '\n').encode()
        },
        error=["no column 'text' in a.csv", 'and 19,990 more'],
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)


@pytest.mark.parametrize(
    ('column', 'value'), [('a.b', 1), ('a.c', None), ('a.b.c', None), ('x.b', None), ('.', None)]
)
def test_field_is_missing_when_the_path_does_not_lead_to_it(column: str, value: object) -> None:
    assert find_cell({'a': {'b': 1}}, column) == value
