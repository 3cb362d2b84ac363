"""Output of frameworks goes to the log, output for the user to the terminal."""

from __future__ import annotations

import logging
import os
import pathlib
import subprocess
import sys
import warnings

import pytest

from pipeline.process.logs import framework_noise_to

SCRIPT = """
import logging, os, pathlib, sys, warnings
from pipeline.process.logs import framework_noise_to
with framework_noise_to(pathlib.Path(sys.argv[1])) as terminal:
    print('python print')
    os.write(1, b'descriptor one\\n')
    os.write(2, b'descriptor two\\n')
    logging.getLogger('absl').info('absl line')
    warnings.warn('a warning')
    print('for the terminal', file=terminal.out)
    print('progress', file=terminal.err)
print('after')
os.write(2, b'after two\\n')
"""


def test_only_the_terminal_streams_reach_the_terminal_when_output_is_redirected(
    tmp_path: pathlib.Path,
) -> None:
    log = tmp_path / 'logs' / 'run.log'
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(log)], capture_output=True, text=True, check=True
    )
    assert done.stdout == 'for the terminal\nafter\n'
    assert done.stderr == 'progress\nafter two\n'
    text = log.read_text()
    for line in ('python print', 'descriptor one', 'descriptor two', 'absl line', 'a warning'):
        assert line in text


def test_handlers_and_level_are_restored_when_the_block_raises(tmp_path: pathlib.Path) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with pytest.raises(KeyError, match='boom'), framework_noise_to(tmp_path / 'a.log'):
        raise KeyError('boom')
    assert (root.handlers, root.level) == before


def test_block_ends_normally_when_the_disk_of_the_log_is_full() -> None:
    with framework_noise_to(pathlib.Path('/dev/full')) as terminal:
        print('no room for this', end='')
    assert terminal.out.closed


def test_output_is_discarded_when_the_log_is_the_null_device() -> None:
    with framework_noise_to(pathlib.Path(os.devnull)):
        warnings.warn('gone', stacklevel=1)
