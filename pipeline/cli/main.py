"""The command line: one click group with all commands."""

from __future__ import annotations

import click

from pipeline.cli import cloud, commands
from pipeline.cli.models import models
from pipeline.cli.runs import runs
from pipeline.cli.schedule import schedule


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100})
def main() -> None:
    """Train, evaluate and push a binary text classifier.

    Exit codes: 0 pushed or done, 1 unexpected error, 2 wrong configuration or usage,
    3 model not blessed, 4 the data or a pushed version cannot be used, 5 a component failed,
    6 a package or program is not installed, 7 a service refused a request, failed or cannot
    be reached, 8 the result of a run on a service is unknown, 9 stored results are damaged,
    130 interrupted by Ctrl-C, 143 interrupted by SIGTERM.
    """


for _command in (
    commands.run,
    commands.predict,
    commands.fetch,
    commands.config,
    runs,
    commands.report,
    commands.schema,
    models,
    commands.tensorboard,
    commands.doctor,
    commands.repair,
    cloud.compile_,
    cloud.rehearse,
    cloud.submit,
    schedule,
):
    main.add_command(_command)
