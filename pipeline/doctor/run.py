"""The command `doctor`: run all checks, and print what they find."""

from __future__ import annotations

import os
import pathlib

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.doctor import data as data_checks
from pipeline.doctor import installation, served, store
from pipeline.doctor.finding import Checks, Context, Finding, State, find_all
from pipeline.process.logs import no_framework_noise
from pipeline.settings.config import DataConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_root
from pipeline.terminal.json_output import print_json
from pipeline.terminal.live import can_show

AREAS: dict[str, tuple[str, Checks]] = {
    'installation': ('Installation', installation.CHECKS),
    'store': ('Stored runs', store.CHECKS),
    'served': ('Served model', served.CHECKS),
    'data': ('Data', data_checks.CHECKS),
}
_MARKS: dict[State, tuple[str, str, str]] = {
    'ok': ('✓', '+', 'green'),
    'warning': ('!', '!', 'yellow'),
    'problem': ('✗', 'x', 'bold red'),
}
_SUBJECT_CELLS = len('ExampleValidator')


def run_doctor(
    root: pathlib.Path,
    serving_dir: pathlib.Path,
    data: DataConfig | None,
    metadata: MetadataSettings | None,
    *,
    as_json: bool,
) -> None:
    """Run all checks, and print each finding as soon as it is known.

    Args:
        root: The pipeline root.
        serving_dir: The folder of pushed versions.
        data: Settings of the data; None to skip its checks.
        metadata: Settings of the metadata store; None for the store of the latest run.
        as_json: Print one JSON document instead.

    Raises:
        ReviewsError: If there is a problem: the error of the first one.
    """
    backend = backend_of_root(root, metadata)
    context = Context(root=root, serving_dir=serving_dir, backend=backend, data=data)
    found: list[tuple[str, Finding]] = []
    with no_framework_noise() as terminal:
        # In a pipe, long lines are not folded: users copy commands from them.
        width = None if terminal.out.isatty() else 10_000
        out = Console(file=terminal.out, quiet=as_json, highlight=False, width=width)
        for area, (title, checks) in AREAS.items():
            if area == 'data' and data is None:
                continue
            out.print(Text(title, style='bold'))
            for finding in find_all(checks, context):
                print_finding(out, finding)
                found.append((area, finding))
        if all(finding.state == 'ok' for _, finding in found):
            out.print(Text('\nNo problems found.', style='green'))
    if as_json:
        print_json([{'area': area, **_to_json(finding)} for area, finding in found])
    for _, finding in found:
        if finding.error is not None:
            raise finding.error


def print_finding(console: Console, finding: Finding) -> None:
    """Print a finding in one row, and its hint below."""
    mark, ascii_mark, style = _MARKS[finding.state]
    shown = mark if can_show(console, mark) else ascii_mark
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=2, justify='right')
    row.add_column(width=_SUBJECT_CELLS)
    row.add_column(overflow='fold')
    row.add_row(Text(shown, style=style), finding.subject, Text(_shorten(finding.message)))
    if finding.hint:
        arrow = '→' if can_show(console, '→') else '->'
        row.add_row('', '', Text(f'{arrow} {_shorten(finding.hint)}', style='bold'))
    console.print(row)


def _shorten(text: str) -> str:
    """Make paths relative to the current folder, in which users type commands."""
    return text.replace(os.path.join(os.getcwd(), ''), '')


def _to_json(finding: Finding) -> dict[str, str | int]:
    return {
        'subject': finding.subject,
        'state': finding.state,
        'message': finding.message,
        'hint': finding.hint,
        'exit_code': finding.error.exit_code if finding.error else 0,
    }
