"""A first run keeps no token in its files, and listens on loopback only."""

from __future__ import annotations

from tests.listening import is_loopback
from tests.pipeline.store.conftest import CANARY, Workshop


def test_no_file_contains_the_token_when_it_is_in_the_environment(workshop: Workshop) -> None:
    files = [path for path in workshop.root.rglob('*') if path.is_file()]
    assert len(files) > 30
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_only_loopback_is_listened_at_when_a_node_runs(workshop: Workshop) -> None:
    # While a node runs, TFX listens for remote executors.
    assert workshop.listened_at
    assert all(is_loopback(address) for address in workshop.listened_at)
