"""The command line: one click group with all commands."""

from __future__ import annotations

import click

from pipeline.cli import cloud
from pipeline.cli.config import config
from pipeline.cli.doctor import doctor, repair
from pipeline.cli.fetch import fetch
from pipeline.cli.models import models
from pipeline.cli.predict import predict
from pipeline.cli.report import report
from pipeline.cli.run import run
from pipeline.cli.runs import runs
from pipeline.cli.tensorboard import tensorboard


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 100})
def main() -> None:
    """Train, evaluate and push a binary text classifier.

    Exit codes: 0 pushed or done, 1 unexpected error, 2 wrong configuration or usage,
    3 model not blessed, 4 wrong data, 5 a component failed, 6 a package or program
    is not installed, 7 a service refused a request or failed, 8 the result of a run is unknown,
    9 stored results are damaged, 130 interrupted, 143 terminated.
    """


for _command in (
    run,
    predict,
    fetch,
    config,
    runs,
    report,
    models,
    tensorboard,
    doctor,
    repair,
    *cloud.COMMANDS,
):
    main.add_command(_command)
