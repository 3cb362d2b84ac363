"""Listing versions while another process removes them."""

from __future__ import annotations

import sys

import pytest

from pipeline.models.listing import list_versions
from pipeline.models.rollback import rollback
from tests.pipeline.models.served import Served


@pytest.mark.usefixtures('checked_here')
def test_version_is_not_listed_when_it_is_removed_during_the_listing(served: Served) -> None:
    first, second = served.push('a'), served.push('b')
    # Something is withdrawn now, so that the files of each version are read.
    third = rollback(served.serving_folder).now.name
    removed = []

    def prune(event: str, arguments: tuple[object, ...]) -> None:
        # Called before a file is opened; hooks cannot be taken off, so it acts once.
        if event == 'open' and not removed and f'/{first}/' in str(arguments[0]):
            removed.append((served.folder / first).rename(served.folder / '.1a2b.part'))

    sys.addaudithook(prune)
    found = [version.name for version in list_versions(served.serving_folder)]
    assert removed
    assert found == [second, third]
    assert list_versions(served.serving_folder)[0].withdrawal is not None
