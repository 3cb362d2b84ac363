"""Checks of the stored runs: folders, records, metadata and artifacts."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Iterator

from components.common.errors import ConfigError, ReviewsError
from pipeline.doctor.finding import Check, Context, Finding, ok, problem, problem_of, warning
from pipeline.results import outcome as outcomes
from pipeline.store import manifest, metadata_file, places
from pipeline.store.mysql import MysqlBackend
from pipeline.store.sqlite import BACKUP

_REPEATED_BY_NEXT_RUN = 'nothing: the next run creates it again, and everything after it'
_UNFINISHED_SECONDS = 3_600  # a file that is still being written is renamed sooner


def _check_folders(context: Context) -> Iterator[Finding]:
    try:
        places.require_writable(context.root, context.serving_dir)
    except ConfigError as err:
        yield problem_of('folders', err)
    else:
        yield ok('folders', f'{context.root} is writable')


def _check_records(context: Context) -> Iterator[Finding]:
    damaged: list[str] = []
    records = outcomes.load_records(context.root, damaged.append)
    for line in damaged:
        message, _, hint = line.partition('; ')
        yield warning('record', message, hint)
    if records:
        last = records[-1]
        yield ok('runs', f'{len(records):,}; the last, {last["run_id"]}: {last["outcome"]}')
    elif not damaged:
        yield ok('runs', 'none yet')


def _check_metadata(context: Context) -> Iterator[Finding]:
    backend = context.backend
    if isinstance(backend, MysqlBackend):
        try:
            found = backend.usable_server()
        except ReviewsError as err:
            yield problem_of('metadata', err)
        else:
            schema = f'schema {found.schema}' if found.schema else 'a run creates the tables'
            yield ok('metadata', f'{backend.where}, {found.version}; {schema}')
        return
    path = context.root / metadata_file.METADATA
    state = metadata_file.examine(path, thorough=True, to_write=False)
    if state.problem:
        yield problem('metadata', f'{path} {state.message}', state.hint)
    elif not metadata_file.exists(path):
        yield _check_missing_metadata(path)
    elif (locked := metadata_file.examine(path, lock_wait_seconds=1)).problem == 'locked':
        yield warning('metadata', f'{path} {locked.message}', locked.hint)
    else:
        yield ok('metadata', f'{path.stat().st_size / 1e6:.1f} MB, no damage')
        yield _check_backup(path.with_name(BACKUP))


def _check_missing_metadata(path: pathlib.Path) -> Finding:
    if metadata_file.exists(path.with_name(BACKUP)):
        return warning('metadata', f'{path} is missing', 'the next run restores its backup copy')
    if manifest.highest_execution(path.parent / 'artifacts'):
        return warning(
            'metadata',
            f'{path} and its backup copy are missing',
            'restore a backup of your own, or the next run executes every node again',
        )
    return ok('metadata', 'none yet')


def _check_backup(copy: pathlib.Path) -> Finding:
    if not metadata_file.exists(copy):
        return warning('backup copy', f'{copy} is missing', 'nothing: the next run creates one')
    if metadata_file.examine(copy, thorough=True, to_write=False).problem:
        return warning('backup copy', f'{copy} is damaged', 'nothing: the next run replaces it')
    created = time.strftime('%Y-%m-%d %H:%M', time.localtime(copy.stat().st_mtime))
    return ok('backup copy', f'of {created}')


def _check_artifacts(context: Context) -> Iterator[Finding]:
    from pipeline.report.lineage import Lineage

    try:
        config = context.backend.reader()
    except ReviewsError:
        return  # `_check_metadata` reports it
    if config is None:
        return
    try:
        lineage = Lineage(config, context.backend.own_executions)
        unfinished, latest = lineage.unfinished(), lineage.latest_outputs()
    except ReviewsError as err:
        yield problem_of('metadata', err)
        return
    for node, run in unfinished:
        message = f'{node} of {run} has not ended: the run was killed, or is in progress'
        yield warning('run', message, 'nothing: the same command resumes')
    intact = files = size = 0
    for node, artifact in latest:
        context.show_progress(f'reading {node}')
        folder = pathlib.Path(artifact.uri)
        damage = _artifact_damage(context, folder)
        if damage:
            yield warning(node.rpartition('.')[2], damage, _REPEATED_BY_NEXT_RUN)
            continue
        intact += 1
        sizes = [path.stat().st_size for path in folder.rglob('*') if path.is_file()]
        files, size = files + len(sizes), size + sum(sizes)
    if intact:
        yield ok('artifacts', f'{intact} of the latest runs, {files} files, {size / 1e6:.1f} MB')


def _artifact_damage(context: Context, folder: pathlib.Path) -> str | None:
    path = manifest.manifest_path(folder)
    if path is None or not (context.backend.shared or folder.is_relative_to(context.root)):
        return f'{folder} is outside {context.root}: was the root moved?'
    if not path.exists():
        return None if folder.is_dir() else f'{folder} was deleted'
    written = manifest.load(path)
    if written is None:
        return f'{path} cannot be read'
    return manifest.damage(folder, written, thorough=True)


def _check_leftovers(context: Context) -> Iterator[Finding]:
    for path in (*context.root.glob('*.part'), *context.root.glob('*/*.part')):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                yield warning('leftover', f'{path} was never completed', f'rm {path}')


CHECKS: tuple[Check, ...] = (
    _check_folders,
    _check_records,
    _check_metadata,
    _check_artifacts,
    _check_leftovers,
)
