"""Finds the addresses at which a process and its children listen, on Linux."""

from __future__ import annotations

import contextlib
import ipaddress
import pathlib
import threading
from collections.abc import Iterator

_LISTEN = '0A'


def listening(pid: int) -> set[str]:
    """Return the addresses, without ports, that a process tree listens at."""
    inodes: set[str] = set()
    for process in _tree(pid):
        with contextlib.suppress(OSError):
            for link in pathlib.Path(f'/proc/{process}/fd').iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(str(link.readlink()))
    return {address for inode, address in _sockets(pid).items() if inode in inodes}


def _sockets(pid: int) -> dict[str, str]:
    """Return the addresses of all sockets in the process's network that listen, by inode."""
    found = {}
    for table in ('tcp', 'tcp6'):
        path = pathlib.Path(f'/proc/{pid}/net/{table}')
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == _LISTEN:
                found[f'socket:[{fields[9]}]'] = _address(fields[1].partition(':')[0])
    return found


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


@contextlib.contextmanager
def watched(pid: int) -> Iterator[set[str]]:
    """Look again and again at which addresses a process tree listens, while the block runs."""
    found: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        known: set[str] = set()
        while not ended.wait(0.02):
            # To find out whose a socket is takes milliseconds.
            new = _sockets(pid).keys() - known
            if new:
                found.update(listening(pid))
                known.update(new)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in pathlib.Path(f'/proc/{pid}/task').glob('*/children'):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                yield from _tree(int(child))


def _address(text: str) -> str:
    # Words of the machine's byte order.
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b''.join(words)))
