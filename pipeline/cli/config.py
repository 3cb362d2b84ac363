"""The command group `config`: show the effective settings."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import NO_DATA, PLACES, SETTINGS, config_of, takes


@click.group()
def config() -> None:
    """Print the settings."""


@config.command(short_help='Print all settings with their values and descriptions.')
@takes(*SETTINGS, *PLACES)
def show(**options: Any) -> None:
    """Print all settings with their values and descriptions, as YAML.

    To use the output as a settings file, pass it to other commands with --config.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.settings.text import text_of

    click.echo(text_of(config), nl=False)
