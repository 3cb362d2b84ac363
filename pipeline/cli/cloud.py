"""The commands that compile: compile, rehearse, submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

import click

from pipeline.cli.options import AGAIN, JSON, QUIET, SETTINGS, VERBOSE, config_of, takes
from pipeline.cli.service_options import (
    FOLLOWING,
    IMAGE,
    NO_CACHE,
    PARAM,
    TARGET,
    compiles,
    compiles_for_service,
    connect_to,
    nodes_to_execute,
)

if TYPE_CHECKING:
    from pipeline.cloud.rehearsal.engines import EngineName
    from pipeline.cloud.targets import Target


@click.command(name='compile', short_help='Compile the pipeline for a service.')
@compiles
@click.option(
    '--output',
    type=click.File('w', encoding='utf-8', lazy=True),
    default='-',
    metavar='FILE',
    help='File to write [default: standard output].',
)
def compile_(target: Target, output: TextIO, **options: Any) -> None:
    """Compile the pipeline to a file for Kubeflow Pipelines (YAML) or Vertex AI (JSON).

    The command needs no network, no bucket and no credentials.
    """
    config = config_of(options)
    from pipeline.cloud.compile import compile_for_service

    output.write(compile_for_service(config, target).text())


@click.command(short_help='Run the compiled pipeline on this machine.')
@takes(TARGET, IMAGE, *SETTINGS, PARAM, NO_CACHE, AGAIN)
@click.option(
    '--engine',
    type=click.Choice(('process', 'podman', 'docker')),
    default='process',
    help='Run each step as a process, or in a container of the image [default: process].',
)
@click.option(
    '--root',
    default='runs/rehearsal',
    metavar='DIR',
    help='Folder for the outputs of all rehearsals [default: runs/rehearsal].',
)
@JSON
@QUIET
@VERBOSE
def rehearse(
    target: Target,
    *,
    engine: EngineName,
    params: tuple[str, ...],
    no_cache: bool,
    again: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Run the compiled pipeline on this machine, with an emulation of the service.

    Without --data, the pipeline runs on a small part of the sample data. The root folder
    keeps the cache and the pushed models for the next rehearsal.
    """
    sample = options['data'] is None
    config = config_of({**options, 'data': options['data'] or 'data/sample'})
    from pipeline.cloud.rehearsal.rehearse import rehearse as run_rehearsal

    run_rehearsal(
        config,
        target,
        engine_name=engine,
        assignments=params,
        again=nodes_to_execute(again, no_cache=no_cache),
        sample=sample,
        as_json=as_json,
        quiet=quiet,
        verbose=verbose,
    )


@click.command(short_help='Compile the pipeline, and start a run on a service.')
@compiles_for_service
@takes(NO_CACHE, AGAIN)
@click.option(
    '--wait', is_flag=True, help='Wait for the end of the run; the exit code shows its result.'
)
@takes(*FOLLOWING)
@click.option(
    '--run-name',
    metavar='NAME',
    help='Name of the run for display [default: the name of the pipeline, on Kubeflow also '
    'the time].',
)
def submit(
    *,
    target: Target,
    params: tuple[str, ...],
    no_cache: bool,
    again: tuple[str, ...],
    wait: bool,
    poll: float,
    timeout: float,
    run_name: str | None,
    **options: Any,
) -> None:
    """Compile the pipeline, start a run on a service, and print the address of the run."""
    service = connect_to(target, options)
    config = config_of(options)
    from pipeline.cloud.clients.submission import submit_pipeline
    from pipeline.cloud.compile import compile_for_service

    compiled = compile_for_service(config, target)
    submit_pipeline(
        compiled.executing(nodes_to_execute(again, no_cache=no_cache)),
        service,
        params,
        run_name=run_name,
        poll_seconds=poll,
        wait_seconds=timeout if wait else None,
    )
