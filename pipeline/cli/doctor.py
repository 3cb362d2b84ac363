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


@click.command(short_help='Find problems, and print their solutions.')
@takes(*SETTINGS, *PLACES)
@JSON
def doctor(*, as_json: bool, **options: Any) -> None:
    """Check the installation, the stored runs, the served model and, with --data, the data.

    The command prints each problem with its solution, and changes nothing. The exit
    code is that of the first problem, or 0.
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


@click.command(short_help='Repair the metadata of a root.')
@takes(CONFIG_FILE, SET, ROOT)
@JSON
def repair(*, as_json: bool, **options: Any) -> None:
    """Repair the metadata of a root: restore its backup, or upgrade its schema.

    --config and --set select the metadata store. Without them, the command uses the
    store of the latest run. A damaged file is renamed, never deleted.
    """
    config = config_of(options, data=NO_DATA)
    from pipeline.store.repair import repair

    repair(config.root_path, metadata_named(config), as_json=as_json)
