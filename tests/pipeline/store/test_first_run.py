"""What a run leaves behind, and opens to others, besides its result."""

from __future__ import annotations

from tests.listening import is_loopback
from tests.pipeline.store.conftest import CANARY, Workshop


def test_no_file_holds_the_token_that_was_in_the_environment(workshop: Workshop) -> None:
    files = [path for path in workshop.root.rglob('*') if path.is_file()]
    assert len(files) > 30
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_nothing_listens_on_other_than_loopback(workshop: Workshop) -> None:
    # While a node works, TFX listens for those that would execute it elsewhere.
    assert workshop.listened_at
    assert all(is_loopback(address) for address in workshop.listened_at)
