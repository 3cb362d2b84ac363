"""The command `doctor`: run all checks, and print what they find."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.doctor import data as data_checks
from pipeline.doctor import installation, served, store
from pipeline.doctor.finding import Check, Context, Finding, State
from pipeline.process.logs import no_framework_noise
from pipeline.settings.config import DataConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_root
from pipeline.terminal.json_output import print_json
from pipeline.terminal.live import can_show

AREAS: dict[str, tuple[str, tuple[Check, ...]]] = {
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
        ReviewsError: If there is a problem; class and message are those of the first one.
    """
    found: list[tuple[str, Finding]] = []
    with no_framework_noise() as terminal:
        out = _console(terminal.out, quiet=as_json)
        with _progress(_console(terminal.err, quiet=as_json)) as show_progress:
            context = Context(
                root=root,
                serving_dir=serving_dir,
                backend=backend_of_root(root, metadata),
                data=data,
                show_progress=show_progress,
            )
            for area, (title, checks) in AREAS.items():
                if area == 'data' and data is None:
                    continue
                show_progress('')
                out.print(Text(title, style='bold'))
                for finding in (finding for check in checks for finding in check(context)):
                    show_progress('')
                    print_finding(out, finding)
                    found.append((area, finding))
        _print_total(out, [finding for _, finding in found])
    if as_json:
        print_json([{'area': area, **_to_json(finding)} for area, finding in found])
    for _, finding in found:
        if finding.state == 'problem':
            raise finding.error(finding.message, hint=finding.hint)


def _console(file: TextIO, *, quiet: bool) -> Console:
    # In a pipe, long lines are not folded: users copy commands from them.
    width = None if file.isatty() else 10_000
    return Console(file=file, quiet=quiet, highlight=False, width=width)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a line while a check takes long; '' removes the line."""
    status = console.status('')

    def show(line: str) -> None:
        status.stop()
        if line and console.is_terminal and not console.is_dumb_terminal:
            status.update(Text(line))
            status.start()

    try:
        yield show
    finally:
        status.stop()


def print_finding(console: Console, finding: Finding) -> None:
    """Print a finding in one row, and its hint below."""
    mark, ascii_mark, style = _MARKS[finding.state]
    unicode = can_show(console, mark)
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=2, justify='right')
    row.add_column(width=_SUBJECT_CELLS)
    row.add_column(overflow='fold')
    message = Text(_shorten(finding.message))
    row.add_row(Text(mark if unicode else ascii_mark, style=style), finding.subject, message)
    if finding.hint:
        arrow = '→' if can_show(console, '→') else '->'
        row.add_row('', '', Text(f'{arrow} {_shorten(finding.hint)}', style='bold'))
    console.print(row)


def _print_total(console: Console, findings: list[Finding]) -> None:
    count = collections.Counter(finding.state for finding in findings)
    states: tuple[State, ...] = ('problem', 'warning')
    present = [state for state in states if count[state]]
    parts = [f'{count[state]} {state}{"s"[: count[state] != 1]}' for state in present]
    style = _MARKS[present[0] if present else 'ok'][2]
    console.print()
    console.print(Text(', '.join(parts) or 'No problems found.', style=style))


def _shorten(text: str) -> str:
    """Make paths relative to the current folder, in which users type commands."""
    return text.replace(os.path.join(os.getcwd(), ''), '')


def _to_json(finding: Finding) -> dict[str, str | int]:
    fields = dataclasses.asdict(finding)
    del fields['error']
    return {**fields, 'exit_code': finding.error.exit_code if finding.state == 'problem' else 0}
