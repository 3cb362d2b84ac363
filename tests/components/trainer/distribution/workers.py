"""Clusters of processes on this machine."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import IO

from tests.conftest import REPO


def free_addresses(count: int) -> list[str]:
    """Return addresses on loopback that nothing listens at now."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    found = [f'127.0.0.1:{server.getsockname()[1]}' for server in sockets]
    for server in sockets:
        server.close()
    return found


def tf_config(addresses: list[str], index: int) -> str:
    """Return TF_CONFIG of one worker."""
    task = {'type': 'worker', 'index': index}
    return json.dumps({'cluster': {'worker': addresses}, 'task': task})


def start_worker(
    addresses: list[str], index: int, output: IO[bytes], cwd: pathlib.Path, *options: str
) -> subprocess.Popen[bytes]:
    """Start a worker beside the chief, as a person would on another machine."""
    return subprocess.Popen(
        [sys.executable, '-m', 'components.trainer.worker', *options],
        cwd=cwd,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={
            **os.environ,
            'TF_CONFIG': tf_config(addresses, index),
            'PYTHONPATH': str(REPO),
            'CUDA_VISIBLE_DEVICES': '-1',
        },
    )


def training_processes(cwd: pathlib.Path) -> list[int]:
    """Return the processes that train in a folder, those of a worker's command aside."""
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / 'cmdline').read_bytes().split(b'\0')
            where = pathlib.Path(os.readlink(entry / 'cwd'))
        except OSError:
            continue
        if b'components.trainer.distribution.process' in command and where == cwd:
            found.append(int(entry.name))
    return found
