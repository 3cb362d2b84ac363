"""The command group `models`: list, roll back and prune pushed versions."""

from __future__ import annotations

import click

from pipeline.cli.options import JSON, VERSIONS, takes


@click.group(invoke_without_command=True)
@takes(*VERSIONS, JSON)
@click.pass_context
def models(context: click.Context, /, as_json: bool, **where: str | None) -> None:
    """List, roll back and prune pushed versions (default: list)."""
    if context.invoked_subcommand is None:
        context.invoke(list_versions, as_json=as_json, **where)
    else:
        # The options before a subcommand are the defaults of those after it.
        context.default_map = {context.invoked_subcommand: where}


@models.command(name='list', short_help='List the pushed versions.')
@takes(*VERSIONS, JSON)
def list_versions(as_json: bool, **where: str | None) -> None:
    """List the pushed versions, and show which one is live and which are withdrawn."""
    from pipeline.models.display import list_models
    from pipeline.models.listing import ServingFolder

    list_models(ServingFolder(**where), as_json=as_json)


@models.command(short_help='Make an earlier version live again.')
@click.argument('version', required=False)
@takes(*VERSIONS, JSON)
def rollback(version: str | None, as_json: bool, **where: str | None) -> None:
    """Make an earlier version live again (default: the previous live version).

    A copy of VERSION becomes the highest version, in one atomic step. The versions
    that were pushed after VERSION are withdrawn: a run that trains the same model
    again does not push it. To undo a rollback, roll back to the version that was live.
    """
    from pipeline.models.display import roll_back
    from pipeline.models.listing import ServingFolder

    roll_back(ServingFolder(**where), version, as_json=as_json)


@models.command()
@click.option(
    '--keep',
    type=click.IntRange(min=1),
    required=True,
    metavar='N',
    help='Number of newest versions to keep.',
)
@click.option('--dry-run', is_flag=True, help='Show what would be removed, and remove nothing.')
@takes(*VERSIONS, JSON)
def prune(keep: int, dry_run: bool, as_json: bool, **where: str | None) -> None:
    """Remove all versions except the newest N.

    The command never removes the live version, which is the baseline of the next run.
    If the live version is the copy of a rollback, the original is kept, too.
    """
    from pipeline.models.display import prune_models
    from pipeline.models.listing import ServingFolder

    prune_models(ServingFolder(**where), keep=keep, dry_run=dry_run, as_json=as_json)
