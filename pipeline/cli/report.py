"""The command `report`: write, open or compare the report pages of runs."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import ROOT, takes

_OPTIONS = (
    click.option('--compare', is_flag=True, help='Compare 2 to 6 runs on one page.'),
    click.option('--open', 'open_it', is_flag=True, help='Also open the page in the browser.'),
    click.option(
        '--output', metavar='FILE', help='Write a new page to FILE instead of using the stored one.'
    ),
)


@click.command(short_help='Print the path of the report of a run, or open it.')
@click.argument('runs', nargs=-1, metavar='[RUN]...')
@takes(*_OPTIONS)
@ROOT
def report(runs: tuple[str, ...], **options: Any) -> None:
    """Print the path of the report page of a run (default: the latest run).

    The command writes the page if it does not exist. RUN is a run id, as the
    command runs lists it.
    """
    from pipeline.report.pages import print_report

    print_report(runs, **options)
