"""Checks of the stored runs: folders, records, metadata and artifacts."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

from components.common.errors import ReviewsError
from pipeline.doctor.finding import Checks, Context, Finding
from pipeline.results import outcome as outcomes
from pipeline.store.artifacts import ArtifactKeeper
from pipeline.store.folders import require_writable


def _check_folders(context: Context) -> Iterator[Finding]:
    require_writable(context.root, context.serving_dir)
    yield Finding('folders', f'{context.root} is writable')


def _check_records(context: Context) -> Iterator[Finding]:
    damaged: list[str] = []
    records = outcomes.load_records(context.root, damaged.append)
    for line in damaged:
        message, _, hint = line.partition('; ')
        yield Finding('record', message, hint)
    if records:
        last = records[-1]
        yield Finding('runs', f'{len(records):,}; the last, {last.run_id}: {last.outcome}')
    elif not damaged:
        yield Finding('runs', 'none yet')


def _check_metadata(context: Context) -> Iterator[Finding]:
    yield Finding('metadata', *context.backend.describe())


def _check_artifacts(context: Context) -> Iterator[Finding]:
    from pipeline.report.lineage import Lineage

    config = None
    with contextlib.suppress(ReviewsError):  # `_check_metadata` reports it
        config = context.backend.reader()
    if config is None:
        return
    lineage = Lineage(config, context.backend.own_executions)
    keeper = ArtifactKeeper(context.root)
    files: list[pathlib.Path] = []
    intact = 0
    for node, artifact in lineage.latest_outputs():
        folder = pathlib.Path(artifact.uri)
        damage = keeper.damage(folder, thorough=True)
        if damage:
            hint = 'no action is needed: the next run executes this node and all nodes after it'
            yield Finding(node.rpartition('.')[2], damage, hint)
        else:
            intact += 1
            files += [path for path in folder.rglob('*') if path.is_file()]
    if intact:
        size = sum(path.stat().st_size for path in files)
        message = f'{intact} of the latest runs, {len(files)} files, {size / 1e6:.1f} MB'
        yield Finding('artifacts', message)


CHECKS: Checks = {
    'folders': _check_folders,
    'records': _check_records,
    'metadata': _check_metadata,
    'artifacts': _check_artifacts,
}
