"""The metadata file of a real run is damaged; commands report it, and `repair` repairs it."""

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
from pipeline.store.metadata_store import open_store, sqlite_config
from pipeline.store.run_lock import root_lock
from pipeline.store.sqlite import BACKUP, METADATA, DamagedFileError, SqliteBackend, check_file
from tests.conftest import call_command, snapshot
from tests.pipeline.store.conftest import RunRoot, executed, small_table

pytestmark = pytest.mark.usefixtures('quick_smoke_tests')

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(run_root: RunRoot, tmp_path: pathlib.Path) -> pathlib.Path:
    """Metadata of a run, with its backup copy, in a root of its own."""
    root = tmp_path / 'runs'
    root.mkdir()
    for name in (METADATA, BACKUP):
        shutil.copy(run_root.root / name, root / name)
    return root / METADATA


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
    backend = SqliteBackend(path.parent)
    before = path.with_name(BACKUP).read_bytes()
    damage(path)
    for check in (backend.require_usable, backend.reader):
        with pytest.raises(DamagedFileError, match=r'metadata\.sqlite is (damaged|not a)') as found:
            check()
        assert found.value.hint == f'python pipeline_runner.py repair --root {path.parent}'
    aside, restored = backend.repair()
    assert aside.startswith(f'the damaged metadata.sqlite is now {path}.damaged-')
    assert 'was restored from its backup copy of ' in restored
    assert path.read_bytes() == before
    backend.require_usable()
    assert backend.repair() == []


@pytest.mark.parametrize(('version', 'age'), [(8, 'older'), (11, 'newer')])
def test_store_is_refused_when_its_schema_has_another_version(
    version: int, age: str, path: pathlib.Path
) -> None:
    backend = SqliteBackend(path.parent)
    assert open_store(backend.reader()).get_executions()
    set_schema(version)(path)
    expected = f'{age} ML Metadata: expected schema 10, got {version}'
    for check in (backend.require_usable, backend.reader):
        with pytest.raises(StoreError, match=expected):
            check()
    if age == 'newer':
        with pytest.raises(StoreError, match=expected):
            backend.repair()


def test_there_is_nothing_to_read_when_the_file_is_missing_or_empty(path: pathlib.Path) -> None:
    path.write_bytes(b'')
    assert SqliteBackend(path.parent).reader() is None
    path.unlink()
    assert SqliteBackend(path.parent).reader() is None


def test_file_is_moved_away_when_the_backup_copy_is_damaged_too(path: pathlib.Path) -> None:
    flip(path)
    flip(path.with_name(BACKUP))
    assert 'the next run executes every node' in SqliteBackend(path.parent).repair()[-1]
    assert not path.exists()


def test_error_names_file_and_command_when_a_run_finds_it_damaged(path: pathlib.Path) -> None:
    flip(path)
    before = snapshot(path.parent)
    small_table(path.parent.parent / 'a.csv', 30)
    done = call_command('run', '--data', 'a.csv', cwd=path.parent.parent)
    assert done.code == 9
    assert done.out == ''
    (line,) = done.err.splitlines()
    assert line.startswith(f'error: {path} is damaged: ')
    assert line.endswith(f'; python pipeline_runner.py repair --root {path.parent}')
    after = snapshot(path.parent)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {'locks/sentiment.lock'}
    done = call_command('repair', cwd=path.parent.parent)
    assert done.code == 0, done.err
    assert 'was restored from its backup copy of ' in done.out


def test_schema_is_the_expected_one_when_ml_metadata_creates_a_store(
    tmp_path: pathlib.Path,
) -> None:
    open_store(sqlite_config(tmp_path / METADATA))
    check_file(tmp_path / METADATA, thorough=True)


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
    with pytest.raises(StoreError, match=rf'is locked by process {holder.pid} \(python'):
        check_file(path, lock_wait_seconds=0.2)


def test_file_is_usable_when_the_process_that_locked_it_ends_soon(
    path: pathlib.Path, holder: subprocess.Popen[str]
) -> None:
    threading.Timer(1.0, holder.kill).start()
    check_file(path)


def test_file_is_only_readable_when_this_user_cannot_write(path: pathlib.Path) -> None:
    if os.geteuid():
        pytest.skip('becoming another user needs root')
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(path, folder)
        copy = pathlib.Path(folder, path.name)
        reader, writer = os.pipe()
        if not (child := os.fork()):
            os.setuid(65534)
            check_file(copy, to_write=False)
            try:
                check_file(copy)
            except StoreError as err:
                os.write(writer, str(err).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        assert os.read(reader, 1000) == f'{copy} is not writable'.encode()


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
        assert copy.exists()
        check_file(copy, thorough=True)
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


def test_next_run_restores_the_backup_copy_when_the_file_is_missing(run_root: RunRoot) -> None:
    run_root.run()
    (run_root.root / METADATA).unlink()
    assert executed(run_root.run_without_error()) == []
