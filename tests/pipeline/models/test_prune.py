"""Which versions are removed, and which are kept."""

from __future__ import annotations

import pathlib

import pytest

from components.common.errors import DataError
from pipeline.models.prune import prune
from pipeline.models.rollback import rollback
from tests.conftest import snapshot
from tests.pipeline.models.served import Served


def test_newest_versions_are_kept(served: Served) -> None:
    versions = [served.push(which) for which in 'abcd']
    before = snapshot(served.folder)
    planned = prune(served.serving_folder, keep=2, dry_run=True)
    assert snapshot(served.folder) == before
    assert prune(served.serving_folder, keep=2) == planned
    assert [(found.version.name, found.why) for found in planned] == [
        (versions[0], None),
        (versions[1], None),
        (versions[2], 'one of the newest 2'),
        (versions[3], 'live'),
    ]
    assert served.names() == versions[2:]
    kept = {name: at for name, at in before.items() if not name.startswith(tuple(versions[:2]))}
    assert snapshot(served.folder) == kept
    assert prune(served.serving_folder, keep=9) == [
        found._replace(why=found.why.replace('2', '9')) for found in planned[2:] if found.why
    ]


@pytest.mark.usefixtures('checked_here')
def test_restored_version_is_kept_when_its_copy_is_live(served: Served) -> None:
    first, second = served.push('a'), served.push('b')
    served.push('c')
    live = rollback(served.serving_folder, second).now.name
    why = {found.version.name: found.why for found in prune(served.serving_folder, keep=1)}
    assert served.names() == [second, live]
    assert why[second] == 'restored by the live version'
    assert why[first] is None


def test_error_when_no_model_was_pushed(served: Served, tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='no model was pushed to'):
        prune(served.serving_folder, keep=1)
    assert not served.folder.exists()
