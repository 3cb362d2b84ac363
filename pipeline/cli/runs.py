"""The command `runs`: list all runs below a root."""

from __future__ import annotations

import os
import pathlib
import sys

import click

from components.common.errors import DataError
from pipeline.cli.options import JSON, ROOT


@click.command(short_help='List all runs.')
@ROOT
@JSON
def runs(root: str | None, as_json: bool) -> None:
    """List all runs of a root, with their start time, data, metrics and result."""
    from pipeline.results import outcome as outcomes
    from pipeline.settings.config import DEFAULT_ROOT
    from pipeline.terminal.console import print_runs
    from pipeline.terminal.json_output import print_json

    folder = pathlib.Path(os.path.abspath(root or DEFAULT_ROOT))
    records = outcomes.load_records(folder)
    if as_json:
        print_json(records)
    elif not records:
        raise DataError(f'no run below {folder}', hint='start a run, or pass its --root')
    else:
        print_runs(records, sys.stdout)
