"""The command `tensorboard`: show the learning curves of all runs."""

from __future__ import annotations

import os
import pathlib

import click

from pipeline.cli.options import ROOT


@click.command(short_help='Show the learning curves of all runs in TensorBoard.')
@ROOT
@click.option('--name', metavar='NAME', help='Name of the pipeline [default: all pipelines].')
@click.option(
    '--port',
    type=click.IntRange(0, 65535),
    metavar='N',
    help='Port; 0 selects any free port [default: 6006, or the next free port].',
)
def tensorboard(root: str | None, name: str | None, port: int | None) -> None:
    """Show the learning curves of all runs in TensorBoard, at an address of this machine."""
    from pipeline.report.tensorboard import find_curves, serve
    from pipeline.settings.config import DEFAULT_ROOT

    serve(find_curves(pathlib.Path(os.path.abspath(root or DEFAULT_ROOT)), name), port)
