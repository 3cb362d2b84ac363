"""Tables as most people have them."""

from __future__ import annotations

import pathlib

import pytest

from tests.inputs.cases import Case, check_case

_ROWS = [('A fine film', 'pos'), ('A "dull" film, really', 'neg')]
CASES = [
    Case(
        name='CSV',
        files={'a.csv': b'text,label\nA fine film,pos\n"A ""dull"" film, really",neg\n'},
        rows=_ROWS,
    ),
    Case(
        name='JSON Lines',
        files={
            'a.jsonl': b'{"text": "A fine film", "label": "pos"}\n'
            b'{"text": "A \\"dull\\" film, really", "label": "neg"}\n'
        },
        rows=_ROWS,
    ),
    Case(
        name='no such column',
        files={'a.csv': b'review,label\nA fine film,pos\n'},
        error=["no column 'text' in a.csv"],
    ),
]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_commands_agree(case: Case, tmp_path: pathlib.Path) -> None:
    check_case(case, tmp_path)
