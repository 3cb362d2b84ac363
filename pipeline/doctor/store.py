"""Whether what runs keep below a root is whole."""

from __future__ import annotations

import contextlib
import gzip
import pathlib
import struct
import time
import zlib
from collections.abc import Generator, Iterator
from typing import Any

from components.common.errors import ConfigError, ReviewsError
from components.example_gen.summary import SUMMARY_FILE, ExamplesSummary
from pipeline.doctor.finding import Finding, Say, ok, problem, warning
from pipeline.results import outcome as outcomes
from pipeline.store import copies, manifest, metadata_file, places
from pipeline.store.backend import Backend
from pipeline.store.execution_ids import highest_execution
from pipeline.store.mysql import MysqlBackend

_NEXT_RUN = 'nothing: the next run makes it again, and all after it'
_OLD_SECONDS = 3_600  # what is being written is renamed sooner


def check(
    root: pathlib.Path, serving_dir: pathlib.Path, backend: Backend, say: Say
) -> Iterator[Finding]:
    """Look at a root; nothing in it is changed.

    Args:
        root: The folder for all that runs write.
        serving_dir: The folder of versions.
        backend: Where ML Metadata is.
        say: Is told what takes long.

    Yields:
        Findings.
    """
    try:
        places.require_writable(root, serving_dir)
    except ConfigError as err:
        yield problem('folders', str(err), err.hint, ConfigError)
    else:
        yield ok('folders', f'{root} can be written')
    if root.is_dir():
        yield from _records(root)
    else:
        yield ok('runs', 'none yet')
    if isinstance(backend, MysqlBackend):
        readable = yield from _server(backend)
    else:
        readable = root.is_dir() and (yield from _file(root / metadata_file.METADATA))
    if readable:
        yield from _artifacts(root, backend, say)
        yield from _leftovers(root)


def _server(backend: MysqlBackend) -> Generator[Finding, None, bool]:
    """Look at a server; say whether there is something to read."""
    try:
        found = backend.usable_server()
    except ReviewsError as err:
        yield problem('metadata', str(err), err.hint, type(err))
        return False
    if found.schema is None:
        yield ok('metadata', f'{backend.where}, {found.version}; a run makes the tables')
        return False
    yield ok('metadata', f'{backend.where}, {found.version}; schema {found.schema}')
    return True


def _file(path: pathlib.Path) -> Generator[Finding, None, bool]:
    """Look at a file; say whether there is something to read."""
    state = metadata_file.examine(path, thorough=True, to_write=False)
    if state.problem:
        yield problem('metadata', f'{path} {state.told}', state.hint)
        return False
    if not metadata_file.exists(path):
        yield _missing(path)
        return False
    yield from _metadata(path)
    return True


def _records(root: pathlib.Path) -> Iterator[Finding]:
    damaged: list[str] = []
    records = outcomes.load_records(root, damaged.append)
    for line in damaged:
        told, _, todo = line.partition('; ')
        yield warning('record', told, todo)
    if records:
        last = records[-1]
        yield ok('runs', f'{len(records):,}; the last, {last["run_id"]}: {last["outcome"]}')
    elif not damaged:
        yield ok('runs', 'none yet')


def _missing(path: pathlib.Path) -> Finding:
    if metadata_file.exists(path.with_name(copies.COPY)):
        return warning('metadata', f'{path} is missing', 'the next run puts its copy back')
    if highest_execution(path.parent / 'artifacts'):
        return warning(
            'metadata',
            f'{path} is missing, and its copy',
            'put back a backup of it, or the next run makes all anew; its baseline is what is '
            'served',
        )
    return ok('metadata', 'none yet')


def _metadata(path: pathlib.Path) -> Iterator[Finding]:
    locked = metadata_file.examine(path, lock_wait_seconds=1)
    if locked.problem == 'locked':
        yield warning('metadata', f'{path} {locked.told}', locked.hint)
    else:
        yield ok('metadata', f'{path.stat().st_size / 1e6:.1f} MB, no damage')
    copy = path.with_name(copies.COPY)
    if not metadata_file.exists(copy):
        yield warning('its copy', f'{copy} is missing', 'nothing: the next run leaves one')
    elif metadata_file.examine(copy, thorough=True, to_write=False).problem:
        yield warning('its copy', f'{copy} is damaged', 'nothing: the next run leaves another')
    else:
        made = time.strftime('%Y-%m-%d %H:%M', time.localtime(copy.stat().st_mtime))
        yield ok('its copy', f'of {made}')


def _artifacts(root: pathlib.Path, backend: Backend, say: Say) -> Iterator[Finding]:
    from pipeline.report.lineage import Lineage

    try:
        lineage = Lineage(backend.reader(), backend.own_executions)
        unfinished = lineage.unfinished()
        latest = lineage.latest_outputs()
    except ReviewsError as err:
        yield problem('metadata', str(err), err.hint, type(err))
        return
    for node, run in unfinished:
        yield warning(
            'run',
            f'{node} of {run} has not ended: the run was killed, or goes on',
            'nothing: the same command resumes',
        )
    whole = files = size = 0
    for node, artifact in latest:
        say(f'reading {node}')
        folder = pathlib.Path(artifact.uri)
        found = _damage(root, folder, shared=backend.shared)
        if not found and artifact.key == 'examples':
            found = examples_damage(folder)
        if found:
            yield warning(node.rpartition('.')[2], found, _NEXT_RUN)
            continue
        whole += 1
        sizes = [f.stat().st_size for f in folder.rglob('*') if f.is_file()]
        files, size = files + len(sizes), size + sum(sizes)
    if whole:
        yield ok('artifacts', f'{whole} of the latest runs, {files} files, {size / 1e6:.1f} MB')


def _damage(root: pathlib.Path, folder: pathlib.Path, *, shared: bool) -> str | None:
    path = manifest.manifest_path(folder)
    if path is None or not (shared or folder.is_relative_to(root)):
        return f'{folder} is not below {root}: was it moved?'
    if not path.exists():
        return None if folder.is_dir() else f'{folder} was deleted'
    written = manifest.load(path)
    if written is None:
        return f'{path} cannot be read'
    return manifest.damage(folder, written, thorough=True)


def examples_damage(folder: pathlib.Path) -> str | None:
    """Read all examples of an artifact; say what is wrong with them, None if nothing is.

    gzip's checksums are verified, and examples are counted.
    """
    try:
        content = (folder / SUMMARY_FILE).read_text(encoding='utf-8')
        summary = ExamplesSummary.parse(content)
    except (OSError, ValueError, KeyError) as err:
        return f'{folder / SUMMARY_FILE} cannot be read: {err}'
    for split in sorted(folder.glob('Split-*')):
        count = 0
        for path in sorted(split.glob('*.gz')):
            try:
                count += _count_records(path)
            except (OSError, EOFError, zlib.error, struct.error) as err:
                return f'{path} cannot be read: {err}'
        expected = summary.examples(split.name.removeprefix('Split-'))
        if count != expected:
            return f'{split} has {count:,} examples, expected {expected:,}'
    return None


def _count_records(path: pathlib.Path) -> int:
    """Count the records of a TFRecord file.

    A record is its length (8 bytes), a checksum (4), the content and a checksum (4).
    """
    count = 0
    with gzip.open(path) as file:
        while head := file.read(12):
            (length,) = struct.unpack('<Q', head[:8])
            rest = length + 4
            while rest:
                part = file.read(min(rest, 1 << 20))
                if not part:
                    raise EOFError('it ends within a record')
                rest -= len(part)
            count += 1
    return count


def _leftovers(root: pathlib.Path) -> Iterator[Finding]:
    found: list[Any] = [*root.glob('*.part'), *root.glob('*/*.part')]
    for path in found:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                yield warning('leftover', f'{path} was never finished', f'rm {path}')
