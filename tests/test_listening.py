"""Listening addresses of a process are found on Linux."""

from __future__ import annotations

import os
import socket

import pytest

from tests.listening import is_loopback, listening


@pytest.mark.parametrize('host', ['127.0.0.1', '0.0.0.0', '::1', '::'])
def test_address_is_found_when_this_process_listens(host: str) -> None:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip(f'there is no {host} here')
        server.listen()
        assert host in listening(os.getpid())
        assert is_loopback(host) == (host in {'127.0.0.1', '::1'})
