"""The command `run`."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import AGAIN, JSON, PLACES, QUIET, SETTINGS, VERBOSE, config_of, takes


@click.command(short_help='Train and evaluate a model, and push it if it is blessed.')
@takes(*SETTINGS, *PLACES)
@AGAIN
@JSON
@QUIET
@VERBOSE
@click.option(
    '--wait',
    is_flag=True,
    help='Wait for the end of an active run with the same --root and --name.',
)
def run(
    *,
    again: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    wait: bool,
    **options: Any,
) -> None:
    """Run the pipeline: train and evaluate a model, and push it if it is blessed.

    The command fails if another run with the same --root and --name is active; with
    --wait, it waits for the end of that run.
    """
    config = config_of(options)
    from pipeline.cli.local_run import run_locally

    run_locally(config, again=again, as_json=as_json, quiet=quiet, verbose=verbose, wait=wait)
