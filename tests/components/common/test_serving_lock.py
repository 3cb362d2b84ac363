"""Who may change the folder of versions, and what is left when its holder is killed."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time

import pytest

from components.common.errors import ComponentError, StoreError
from components.common.serving_lock import LOCK_FILE, serving_lock
from tests.conftest import REPO

# Holds the lock, says so, makes half a version, and would go on for a minute.
HOLD = """
import pathlib, sys, time
from components.common.serving_lock import serving_lock
folder = pathlib.Path(sys.argv[1])
with serving_lock(str(folder)):
    (folder / '.1a2b.part' / 'variables').mkdir(parents=True)
    (folder / '.withdrawn.json.part').write_text('{')
    print('held', flush=True)
    time.sleep(60)
"""


def hold(folder: pathlib.Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(folder)], cwd=REPO, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'held\n'
    return process


def test_another_waits_and_gives_up_when_the_folder_is_held(tmp_path: pathlib.Path) -> None:
    holder = hold(tmp_path)
    try:
        began = time.monotonic()
        with (
            pytest.raises(ComponentError, match=r'another process has been changing .* for 0\.3 s'),
            serving_lock(str(tmp_path), wait_seconds=0.3),
        ):
            pytest.fail('two hold it')
        assert time.monotonic() - began >= 0.3
        assert (tmp_path / '.1a2b.part').is_dir()
    finally:
        holder.kill()
        holder.communicate()


def test_what_is_half_done_is_removed_when_its_holder_was_killed(tmp_path: pathlib.Path) -> None:
    (tmp_path / '7').mkdir()
    (tmp_path / 'backup.part').mkdir()
    (tmp_path / '.hidden').write_text('')
    holder = hold(tmp_path)
    holder.kill()
    holder.communicate()
    assert (tmp_path / '.1a2b.part').is_dir()
    with serving_lock(str(tmp_path), wait_seconds=30):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {'7', 'backup.part', '.hidden', LOCK_FILE}


def test_it_is_given_back_when_the_block_ends(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match='inside'), serving_lock(str(tmp_path / 'new')):
        raise OSError('inside')
    with serving_lock(str(tmp_path / 'new'), wait_seconds=0):
        pass


def test_nothing_is_locked_when_the_folder_is_remote(tmp_path: pathlib.Path) -> None:
    with serving_lock(f'gs://{tmp_path.name}/models'), serving_lock(f'gs://{tmp_path.name}/models'):
        pass


def test_it_says_what_to_remove_when_a_folder_is_in_place_of_the_lock(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / LOCK_FILE).mkdir()
    with (
        pytest.raises(StoreError, match='is a folder, expected a file') as told,
        serving_lock(str(tmp_path)),
    ):
        pytest.fail('nobody can hold it')
    assert told.value.hint == f'remove it: rm -r {tmp_path / LOCK_FILE}'
