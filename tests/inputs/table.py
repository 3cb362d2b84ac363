"""The table of the inputs: `python -m tests.inputs.table` writes it into README.md."""

from __future__ import annotations

import collections
import importlib
import json
import pathlib

from benchmarks.documents import update_document
from tests.inputs.cases import Case

_HERE = pathlib.Path(__file__).parent
README = _HERE / 'README.md'
_HEAD = """| input | file | settings | commands | result | exit code |
|---|---|---|---|---|---:|"""


def markdown() -> str:
    """Return a heading and a table for each module with cases."""
    parts = []
    for path in sorted(_HERE.glob('test_*.py')):
        module = importlib.import_module(f'{__package__}.{path.stem}')
        if cases := getattr(module, 'CASES', None):
            title = (module.__doc__ or '').splitlines()[0].rstrip('.')
            parts.append('\n'.join([f'## {title}\n', _HEAD, *map(_row, cases)]))
    return '\n\n'.join(parts)


def _row(case: Case) -> str:
    settings = (
        f'`{name}={value if isinstance(value, str) else json.dumps(value)}`'
        for name, value in case.columns.items()
    )
    predicted = case.scored and not case.rejected
    result, code = _result(case)
    cells = (
        case.name,
        f'folder of {len(case.files)} files' if case.data == '.' else next(iter(case.files)),
        ', '.join(settings),
        'all' if predicted else 'run, doctor',
        result,
        str(code),
    )
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'


def _result(case: Case) -> tuple[str, int]:
    if case.error:
        return ' … '.join(case.error), case.exit_code
    labels = collections.Counter(label or 'no label' for _, label in case.rows)
    counts = ', '.join(f'{count:,} × {label}' for label, count in labels.items())
    plural = '' if len(case.rows) == 1 else 's'
    rejected = ''.join(f'; 1 row rejected: {reason}' for reason in case.rejected)
    found = f'{len(case.rows):,} row{plural}: {counts}{rejected}'
    if case.one_sided:
        return f'{found}; all labels are the same', case.exit_code
    return found, 0


if __name__ == '__main__':
    update_document('inputs', markdown(), README)
