"""The command group `config`: show the effective settings."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import NO_DATA, PLACES, SETTINGS, config_of, takes


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@takes(*SETTINGS, *PLACES)
def show(**options: Any) -> None:
    """Print all settings with their descriptions, as a YAML file for --config."""
    config = config_of(options, data=NO_DATA)
    from pipeline.settings.text import text_of

    click.echo(text_of(config), nl=False)
