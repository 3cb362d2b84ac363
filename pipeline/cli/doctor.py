"""The commands `doctor` and `repair`: find problems, and repair the metadata of a root."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.options import (
    CONFIG_FILE,
    JSON,
    NO_DATA,
    PLACES,
    ROOT,
    SET,
    SETTINGS,
    config_of,
    metadata_named,
    takes,
)


@click.command()
@takes(*SETTINGS, *PLACES)
@JSON
def doctor(*, as_json: bool, **options: Any) -> None:
    """Check the installation, the stored runs, the served model and, with --data, the data.

    Each problem is shown with its solution. Nothing is changed. The exit code is
    that of the first problem.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.doctor.run import run_doctor

    run_doctor(
        config.root_path,
        config.serving_path,
        config.data if options['data'] or config.data.path != NO_DATA else None,
        metadata_named(config),
        as_json=as_json,
    )


@click.command()
@takes(CONFIG_FILE, SET, ROOT)
@JSON
def repair(*, as_json: bool, **options: Any) -> None:
    """Repair the metadata of a root: restore its backup, or upgrade its schema.

    The settings name the metadata store; without them, the store of the latest run
    is used. A damaged file is renamed, never deleted.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.store.repair import repair

    repair(config.root_path, metadata_named(config), as_json=as_json)
