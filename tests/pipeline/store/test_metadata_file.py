"""The metadata of a real run is damaged; commands report it, and `repair` repairs it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

import pytest

from components.common.errors import StoreError
from components.common.model_versions import digest_of_model
from pipeline.models import versions
from pipeline.store import metadata_file
from pipeline.store.manifest import highest_execution
from pipeline.store.metadata_store import open_store, sqlite_config
from pipeline.store.run_lock import root_lock
from pipeline.store.sqlite import BACKUP, SqliteBackend
from tests.conftest import run_command, snapshot
from tests.pipeline.store.conftest import Workshop, executed, small_table

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(workshop: Workshop, tmp_path: pathlib.Path) -> pathlib.Path:
    """Metadata of a run, with its backup copy, in a root of its own."""
    root = tmp_path / 'runs'
    root.mkdir()
    for name in (metadata_file.METADATA, BACKUP):
        shutil.copy(workshop.root / name, root / name)
    return root / metadata_file.METADATA


def flip(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page] ^= 0xFF
    path.write_bytes(content)


def execute(statement: str) -> Callable[[pathlib.Path], None]:
    def change(path: pathlib.Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    return change


def set_schema(version: int) -> Callable[[pathlib.Path], None]:
    return execute(f'UPDATE MLMDEnv SET schema_version = {version}')


drop_table = execute('DROP TABLE MLMDEnv')


DAMAGE = [
    pytest.param(lambda path: path.write_bytes(b'not a database at all ' * 500), id='text'),
    pytest.param(lambda path: os.truncate(path, 100_000), id='truncated'),
    pytest.param(lambda path: os.truncate(path, 100), id='header'),
    pytest.param(flip, id='flipped'),
    pytest.param(drop_table, id='no-table'),
    pytest.param(lambda path: path.unlink() or path.mkdir(), id='folder'),
]


@pytest.mark.parametrize('damage', DAMAGE)
def test_backup_copy_is_restored_when_the_file_is_damaged(
    damage: Callable[[pathlib.Path], None], path: pathlib.Path
) -> None:
    before = path.with_name(BACKUP).read_bytes()
    damage(path)
    with pytest.raises(StoreError, match=r'metadata\.sqlite is (damaged|not a file)') as found:
        metadata_file.require_usable(path)
    assert found.value.hint == f'python pipeline_runner.py repair --root {path.parent}'
    aside, restored = SqliteBackend(path.parent).repair()
    assert aside.startswith(f'the damaged metadata.sqlite is now {path}.damaged-')
    assert 'was restored from its backup copy of ' in restored
    assert path.read_bytes() == before
    metadata_file.require_usable(path)
    assert SqliteBackend(path.parent).repair() == []


@pytest.mark.parametrize(
    ('damage', 'expected'),
    [
        *(pytest.param(*case.values, 'is (damaged|not a file)', id=case.id) for case in DAMAGE),
        pytest.param(set_schema(8), 'older ML Metadata: expected schema 10, got 8', id='older'),
        pytest.param(set_schema(11), 'newer ML Metadata: expected schema 10, got 11', id='newer'),
    ],
)
def test_reader_reports_the_reason_when_the_file_cannot_be_used(
    damage: Callable[[pathlib.Path], None], expected: str, path: pathlib.Path
) -> None:
    backend = SqliteBackend(path.parent)
    assert open_store(backend.reader()).get_executions()
    damage(path)
    with pytest.raises(StoreError, match=expected):
        backend.reader()


def test_there_is_nothing_to_read_when_the_file_is_missing_or_empty(path: pathlib.Path) -> None:
    path.write_bytes(b'')
    assert SqliteBackend(path.parent).reader() is None
    path.unlink()
    assert SqliteBackend(path.parent).reader() is None


def test_error_names_file_and_command_when_ml_metadata_cannot_open_it(path: pathlib.Path) -> None:
    drop_table(path)
    with pytest.raises(StoreError, match=f'^ML Metadata cannot open {path}: ') as found:
        open_store(sqlite_config(path))
    assert found.value.hint == f'python pipeline_runner.py repair --root {path.parent}'


@pytest.mark.parametrize('damage', DAMAGE[:2])
def test_next_run_executes_every_node_when_the_backup_copy_is_damaged_too(
    damage: Callable[[pathlib.Path], None], path: pathlib.Path
) -> None:
    damage(path)
    damage(path.with_name(BACKUP))
    assert 'the next run executes every node' in SqliteBackend(path.parent).repair()[-1]
    assert not path.exists()


def test_error_names_file_and_command_when_a_run_finds_it_damaged(path: pathlib.Path) -> None:
    flip(path)
    before = snapshot(path.parent)
    small_table(path.parent.parent / 'a.csv', 30)
    done = run_command('run', '--data', 'a.csv', cwd=path.parent.parent)
    assert done.code == 9
    assert done.out == ''
    (line,) = done.err.splitlines()
    assert line.startswith(f'error: {path} is damaged: ')
    assert line.endswith(f'; python pipeline_runner.py repair --root {path.parent}')
    after = snapshot(path.parent)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {'locks/sentiment.lock'}
    done = run_command('repair', cwd=path.parent.parent)
    assert done.code == 0, done.err
    assert 'was restored from its backup copy of ' in done.out


def test_newer_schema_is_not_repaired_when_another_ml_metadata_wrote_it(
    path: pathlib.Path,
) -> None:
    set_schema(11)(path)
    with pytest.raises(StoreError, match='newer ML Metadata: expected schema 10, got 11'):
        SqliteBackend(path.parent).repair()


def test_schema_is_the_expected_one_when_the_library_creates_a_store(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / 'new.sqlite'
    open_store(sqlite_config(path))
    assert metadata_file.examine(path, thorough=True) == metadata_file.State()


@pytest.fixture
def holder(path: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has locked the file."""
    process = subprocess.Popen(
        [sys.executable, '-c', _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()
    process.wait()


def test_process_is_reported_when_it_has_locked_the_file(
    path: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    state = metadata_file.examine(path, lock_wait_seconds=0.2)
    assert state.problem == 'locked'
    assert state.message.startswith(f'is locked by process {holder.pid} (python')


def test_lock_is_waited_for_when_the_other_process_ends_soon(
    path: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    threading.Timer(1.0, holder.kill).start()
    metadata_file.require_usable(path)


def test_file_is_read_only_when_this_user_cannot_write(path: pathlib.Path) -> None:
    if os.geteuid():
        pytest.skip('becoming another user needs root')
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(path, folder)
        copy = pathlib.Path(folder, path.name)
        ours, theirs = os.pipe()
        if not (child := os.fork()):
            os.setuid(65534)
            states = [metadata_file.examine(copy, to_write=to_write) for to_write in (True, False)]
            os.write(theirs, ' '.join(str(state.problem) for state in states).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(ours, 100) == b'read-only None'


class TestSharedRoot:
    """Runs of several pipelines below one root, which share the file."""

    def start(self, function: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=function)
        thread.start()
        thread.join(0.3)
        return thread

    def test_backup_waits_when_another_run_has_the_root(self, path: pathlib.Path) -> None:
        copy = path.with_name(BACKUP)
        copy.unlink()
        with root_lock(path.parent):
            thread = self.start(SqliteBackend(path.parent).back_up)
            assert thread.is_alive()
            assert not copy.exists()
        thread.join(300)
        assert metadata_file.examine(copy, thorough=True) == metadata_file.State()
        assert not list(path.parent.glob('*.part*'))

    def test_file_is_not_restored_again_when_another_run_is_faster(
        self, path: pathlib.Path
    ) -> None:
        content = path.read_bytes()
        path.unlink()
        messages: list[str] = []
        with root_lock(path.parent):
            thread = self.start(lambda: messages.append(SqliteBackend(path.parent).open_for_run()))
            assert thread.is_alive()
            path.write_bytes(content)
            inode = path.stat().st_ino
        thread.join(300)
        assert messages == ['']
        assert path.stat().st_ino == inode

    def test_parts_are_removed_when_a_killed_run_left_them(self, path: pathlib.Path) -> None:
        names = {f'.{BACKUP}.1.part', f'.{BACKUP}.1.part-journal', '.metadata.sqlite.1.part'}
        for name in names:
            path.with_name(name).write_bytes(b'half')
        SqliteBackend(path.parent).open_for_run()
        assert not names & {p.name for p in path.parent.iterdir()}


class TestRun:
    """Runs of the small pipeline, whose metadata is lost."""

    def test_backup_copy_is_restored_when_the_file_is_missing(self, workshop: Workshop) -> None:
        workshop.run()
        (workshop.root / metadata_file.METADATA).unlink()
        outcome, error = workshop.run()
        assert error is None
        assert executed(outcome) == []

    def test_every_node_is_executed_when_the_backup_copy_is_missing_too(
        self, workshop: Workshop
    ) -> None:
        before = snapshot(workshop.config.pipeline_root)
        last = highest_execution(workshop.root / 'artifacts')
        live = versions.live_version(workshop.config.serving_path)
        (workshop.root / metadata_file.METADATA).unlink()
        (workshop.root / BACKUP).write_bytes(b'')
        outcome, error = workshop.run()
        assert error is None
        assert len(executed(outcome)) == len(outcome.nodes)
        # Another test may have had another model pushed: then that is the baseline.
        candidate = workshop.newest('Trainer/model') / 'Format-Serving'
        same = digest_of_model(str(live)) == digest_of_model(str(candidate))
        assert (outcome.baseline is None) == same
        after = snapshot(workshop.config.pipeline_root)
        assert {name: after[name] for name in before} == before
        assert int(workshop.newest('SchemaGen/schema').name) > last
        assert executed(workshop.run()[0]) == []
