"""The command group `fetch`: download a public data set."""

from __future__ import annotations

import pathlib

import click

from pipeline.process import signals


@click.group()
def fetch() -> None:
    """Download a data set."""


@fetch.command(short_help='Download the IMDB reviews (80 MiB).')
@click.option(
    '--output',
    default='aclImdb_v1.tar.gz',
    metavar='FILE',
    help='File to write [default: aclImdb_v1.tar.gz].',
)
def imdb(output: str) -> None:
    """Download the IMDB reviews (Maas et al., 2011; 80 MiB) from their official site."""
    _download(output)


def _download(output: str) -> None:
    """Download the IMDB archive, with a progress bar on standard error.

    Raises:
        ReviewsError: It cannot be downloaded, or cannot be written.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from data.fetch import IMDB_URL
    from data.fetch import fetch as fetch_file

    console = Console(stderr=True, highlight=False)
    console.print(f'from {IMDB_URL}', markup=False)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    next_step = 'run the same command again'
    with signals.hint_on_interrupt(next_step), Progress(*columns, console=console) as progress:
        task = progress.add_task('', total=None)
        path = fetch_file(
            pathlib.Path(output),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(path)
