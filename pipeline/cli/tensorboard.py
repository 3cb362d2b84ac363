"""The command `tensorboard`: show the learning curves of all runs."""

from __future__ import annotations

import os
import pathlib

import click

from pipeline.cli.options import NAME, ROOT


@click.command()
@ROOT
@NAME
@click.option(
    '--port',
    type=click.IntRange(0, 65535),
    metavar='N',
    help='Port; 0 takes any free port [default: 6006 or the next free one].',
)
def tensorboard(root: str | None, name: str | None, port: int | None) -> None:
    """Show the learning curves of all runs in TensorBoard, on this machine only."""
    from pipeline.report.tensorboard import find_curves, serve
    from pipeline.settings.config import DEFAULT_ROOT

    serve(find_curves(pathlib.Path(os.path.abspath(root or DEFAULT_ROOT)), name), port)
