from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from components.common.errors import ComponentError, StoreError
from components.common.serving_lock import LOCK_FILE, serving_lock
from tests.conftest import REPO

# Acquires the lock, reports it, leaves unfinished files, and would go on for a minute.
_HOLD = """
import pathlib, sys, time
from components.common.serving_lock import serving_lock
folder = pathlib.Path(sys.argv[1])
with serving_lock(str(folder)):
    (folder / '.1a2b.part' / 'variables').mkdir(parents=True)
    (folder / '.withdrawn.json.part').write_text('{')
    print('held', flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def hold_lock(folder: pathlib.Path) -> Iterator[None]:
    """Run a process that holds the lock; kill it at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, '-c', _HOLD, str(folder)], cwd=REPO, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == 'held\n'
        yield
    finally:
        process.kill()
        process.communicate()


def test_second_process_gives_up_when_the_lock_is_held_for_too_long(
    tmp_path: pathlib.Path,
) -> None:
    with hold_lock(tmp_path):
        started = time.monotonic()
        with (
            pytest.raises(ComponentError, match=r'another process has been changing .* for 0\.3 s'),
            serving_lock(str(tmp_path), wait_seconds=0.3),
        ):
            pytest.fail('two processes hold the lock')
        assert time.monotonic() - started >= 0.3
        assert (tmp_path / '.1a2b.part').is_dir()


def test_unfinished_files_are_removed_when_their_holder_was_killed(tmp_path: pathlib.Path) -> None:
    (tmp_path / '7').mkdir()
    (tmp_path / 'backup.part').mkdir()
    (tmp_path / '.hidden').write_text('')
    with hold_lock(tmp_path):
        pass
    assert (tmp_path / '.1a2b.part').is_dir()
    with serving_lock(str(tmp_path), wait_seconds=30):
        remaining = {path.name for path in tmp_path.iterdir()}
    assert remaining == {'7', 'backup.part', '.hidden', LOCK_FILE}


def test_lock_is_released_when_the_block_raises(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match='inside'), serving_lock(str(tmp_path / 'new')):
        raise OSError('inside')
    with serving_lock(str(tmp_path / 'new'), wait_seconds=0):
        pass


def test_nothing_is_locked_when_the_folder_is_remote(tmp_path: pathlib.Path) -> None:
    with serving_lock(f'gs://{tmp_path.name}/models'), serving_lock(f'gs://{tmp_path.name}/models'):
        pass


def test_error_names_the_folder_when_it_has_the_name_of_the_lock_file(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / LOCK_FILE).mkdir()
    with (
        pytest.raises(StoreError, match='expected a lock file, got a folder') as found,
        serving_lock(str(tmp_path)),
    ):
        pytest.fail('the lock was acquired')
    assert found.value.hint == f'remove it: rm -r {tmp_path / LOCK_FILE}'
