"""Prints the results of the commands `models list`, `rollback` and `prune`."""

from __future__ import annotations

import sys

from pipeline.models.listing import ServingFolder, Version, list_versions, require_versions
from pipeline.process.logs import no_framework_noise
from pipeline.terminal.console import Row, print_models, print_table
from pipeline.terminal.json_output import print_json


def list_models(folder: ServingFolder, *, as_json: bool) -> None:
    """Print all pushed versions, and which one is live.

    Raises:
        ReviewsError: If there are none, or they are damaged.
    """
    if as_json:
        print_json([version.to_json() for version in list_versions(folder)])
    else:
        print_models([version.to_json() for version in require_versions(folder)], sys.stdout)


def roll_back(folder: ServingFolder, version: str | None, *, as_json: bool) -> None:
    """Make an earlier version the live one, and print what changed.

    Raises:
        ReviewsError: If that is not possible. The live version stays live.
    """
    from pipeline.models.rollback import rollback

    # The process of the smoke test prints messages of TensorFlow.
    with no_framework_noise():
        done = rollback(folder, version)
    undo = folder.command(f'rollback {done.was.name}')
    if as_json:
        print_json(
            {
                'was_live': done.was.to_json(),
                'is_live': done.now.to_json(),
                'withdrawn': list(done.withdrawn),
                'not_withdrawn_any_more': list(done.lifted),
                'undo': undo,
            }
        )
        return
    print_table(
        ('', 'version', 'accuracy', 'run', ''),
        [_row('was live', done.was), _row('is live', done.now)],
        sys.stdout,
    )
    if done.withdrawn:
        print(
            f'Withdrawn: {", ".join(done.withdrawn)}. A run that trains the same model again does '
            'not push it.'
        )
    if done.lifted:
        print(f'No longer withdrawn: {", ".join(done.lifted)}.')
    print(f'To undo this: {undo}')


def prune_models(folder: ServingFolder, *, keep: int, dry_run: bool, as_json: bool) -> None:
    """Remove old versions, and print which are removed and why others are kept.

    Raises:
        ReviewsError: If there are none, or they cannot be removed.
    """
    from pipeline.models.prune import prune

    plan = prune(folder, keep=keep, dry_run=dry_run)
    if as_json:
        print_json(
            [{**version.to_json(), 'removed': not why, 'why_kept': why} for version, why in plan]
        )
        return
    removed = 'would be removed' if dry_run else 'removed'
    rows = [
        (v.name, 'kept' if why else removed, why or '', v.binary_accuracy, v.run_id or '-')
        for v, why in reversed(plan)
    ]
    print_table(('version', '', 'why', 'accuracy', 'run'), rows, sys.stdout)


def _row(what: str, version: Version) -> Row:
    restores = f'restores {version.restores}' if version.restores else ''
    return what, version.name, version.binary_accuracy, version.run_id or '-', restores
