"""The command `run`."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import AGAIN, JSON, PLACES, QUIET, SETTINGS, VERBOSE, config_of, takes


@click.command()
@takes(*SETTINGS, *PLACES)
@AGAIN
@JSON
@QUIET
@VERBOSE
@click.option('--wait', is_flag=True, help='Wait while another run of this pipeline is active.')
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

    The command refuses to start while another run with the same --root and --name
    is active.
    """
    config = config_of(options)
    from pipeline.cli.local_run import run_locally

    run_locally(config, again=again, as_json=as_json, quiet=quiet, verbose=verbose, wait=wait)
