"""Rollbacks, and their effect on TensorFlow Serving, `predict` and the baseline."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable

import pytest

from components.common.errors import ConfigError, DataError
from components.common.model_identity import names_of_model
from components.common.model_versions import digest_of_model, restored_by
from components.common.rollback_state import read_withdrawals, withdrawn_models
from components.served_baseline.baseline import find_baseline
from pipeline.models.listing import ServingFolder, list_versions
from pipeline.models.prune import prune
from pipeline.models.rollback import rollback
from pipeline.predict.model import live_model
from tests.conftest import REPO, snapshot
from tests.pipeline.models.served import Served


def withdrawn(served: Served) -> set[str]:
    return {found.version for found in read_withdrawals(str(served.folder)).values()}


@pytest.mark.usefixtures('checked_here')
def test_withdrawn_models_are_not_restored_by_further_rollbacks(served: Served) -> None:
    first, second, third = (served.push(which) for which in 'abc')

    back = rollback(served.serving_folder)
    assert served.serves() == 'b'
    assert live_model(served.folder) == back.now.path == served.live()
    assert (back.was.name, back.now.restores) == (third, second)
    assert (back.withdrawn, back.lifted) == ((third,), ())
    assert withdrawn(served) == {third}
    # What is compared with a candidate is what is served.
    baseline = find_baseline(str(served.folder), str(served.model('d')))
    assert baseline is not None
    assert baseline.version == served.live().name

    further = rollback(served.serving_folder)  # not forth again, to the version that is one lower
    assert served.serves() == 'a'
    assert further.now.restores == first
    assert withdrawn(served) == {second, third}

    undone = rollback(served.serving_folder, third)
    assert served.serves() == 'c'
    assert undone.lifted == (second, third)
    assert undone.now.restores == third
    assert withdrawn(served) == set()
    assert [version.withdrawal for version in list_versions(served.serving_folder)] == [None] * 6


def test_new_version_is_a_copy_and_records_what_it_restores(served: Served) -> None:
    first, second = served.push('a', 0.91), served.push('b', 0.92)
    before = snapshot(served.folder)
    back = rollback(served.serving_folder, first)
    after = snapshot(served.folder)
    made = back.now.path
    added = {name for name in after if name not in before}
    assert all(name.startswith((made.name, '.withdrawn.json')) for name in added)
    assert {name: after[name] for name in before} == before
    assert digest_of_model(str(made)) == digest_of_model(str(served.folder / first))
    restored = restored_by(str(made))
    assert restored is not None
    assert (restored.version, restored.instead_of) == (first, second)
    card = (made / 'assets.extra' / 'model_card.md').read_text(encoding='utf-8')
    assert card.startswith(f'# Model card: sentiment\n\nA copy of version {first}, made by a roll')
    # A model takes no room twice where the disk can share it.
    assert os.path.samefile(made / 'saved_model.pb', served.folder / first / 'saved_model.pb')
    assert (back.was.binary_accuracy, back.now.binary_accuracy) == (0.92, 0.91)
    assert (back.was.run_id, back.now.run_id) == ('2026-11-25T00-00-02', '2026-11-25T00-00-01')


@pytest.mark.usefixtures('checked_here')
def test_version_is_restored_and_kept_when_its_name_has_leading_zeros(served: Served) -> None:
    first, _ = served.push('a'), served.push('b')
    (served.folder / first).rename(served.folder / f'00{first}')
    back = rollback(served.serving_folder, first)
    assert served.serves() == 'a'
    assert back.now.restores == f'00{first}'
    kept = {v.name for v, why in prune(served.serving_folder, keep=1) if why}
    assert kept == {f'00{first}', back.now.name}


@pytest.mark.usefixtures('checked_here')
def test_versions_of_the_live_model_are_skipped_when_it_was_trained_twice(served: Served) -> None:
    first, second, third = (served.push(which) for which in ('a', 'b', "b'"))
    with pytest.raises(DataError, match=f'version {second} is live already, as version {third}'):
        rollback(served.serving_folder, second)
    back = rollback(served.serving_folder)
    assert back.now.restores == first
    assert back.withdrawn == (second, third)
    assert served.serves() == 'a'


@pytest.mark.usefixtures('checked_here')
def test_withdrawn_model_is_not_restored_when_it_was_trained_twice(served: Served) -> None:
    first, second, third = (served.push(which) for which in ('a', 'b', "a'"))
    back = rollback(served.serving_folder)
    assert (back.now.restores, back.withdrawn) == (second, (third,))
    before = snapshot(served.folder)
    with pytest.raises(DataError, match='expected one before .* another model and not withdrawn'):
        rollback(served.serving_folder)
    assert snapshot(served.folder) == before
    # By its number, it can be restored; then neither of its versions is withdrawn.
    again = rollback(served.serving_folder, first)
    assert (again.now.restores, again.withdrawn, again.lifted) == (first, (second,), (third,))
    assert withdrawn(served) == {second}


@pytest.mark.usefixtures('checked_here')
def test_restored_model_is_not_withdrawn_when_a_later_version_is_the_same(served: Served) -> None:
    first, second, third, fourth = (served.push(which) for which in ('a', 'b', "a'", 'c'))
    assert rollback(served.serving_folder, first).withdrawn == (second, fourth)
    served.push('d')  # a withdrawal of the live model has no effect
    names = names_of_model(str(served.folder / third))
    assert not names & withdrawn_models(str(served.folder)).keys()


def flip(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove_digest(version: pathlib.Path) -> None:
    (version / 'assets.extra' / 'model.sha256').unlink()


def damage_labels(version: pathlib.Path) -> None:
    flip(version / 'assets.extra' / 'labels.json')


def remove_variables(version: pathlib.Path) -> None:
    remove_digest(version)
    (version / 'variables' / 'variables.index').unlink()


@pytest.mark.parametrize(
    ('harm', 'message'),
    [
        (damage_labels, 'is damaged: its files do not have the digest that was rec'),
        (remove_variables, 'cannot be served: the smoke test of the model failed: it can be load'),
        (lambda version: (version / 'saved_model.pb').unlink(), 'is damaged: it has no saved_mod'),
    ],
)
def test_damaged_version_is_not_restored(
    harm: Callable[[pathlib.Path], None], message: str, served: Served
) -> None:
    first, _ = served.push('a'), served.push('b')
    harm(served.folder / first)
    before = snapshot(served.folder)
    with pytest.raises(DataError, match=f'version {first} {message}'):
        rollback(served.serving_folder, first)
    assert snapshot(served.folder) == before


def test_error_names_the_versions_when_a_rollback_is_not_possible(served: Served) -> None:
    with pytest.raises(DataError, match='no model was pushed to'):
        rollback(served.serving_folder)
    assert not served.folder.exists()
    first = served.push('a')
    with pytest.raises(DataError, match=f'no version to go back to: expected one before {first}'):
        rollback(served.serving_folder)
    second = served.push('a')
    with pytest.raises(DataError, match=f"no version '17' in {served.folder}") as caught:
        rollback(served.serving_folder, '17')
    assert caught.value.hint == f'name one of {first}, {second}'
    with pytest.raises(DataError, match=f'version {first} is live already, as version {second}'):
        rollback(served.serving_folder, first)
    for name in ('../escape', '', '.withdrawn.json'):
        with pytest.raises(DataError, match='no version|is damaged'):
            rollback(served.serving_folder, name)
    assert served.names() == [first, second]
    with pytest.raises(
        ConfigError, match='expected a folder on a disk, got --serving-dir gs://b/m'
    ):
        rollback(ServingFolder(serving_dir='gs://b/m'))


@pytest.mark.skipif(os.getuid() != 0, reason='only root can run as another user')
def test_error_when_the_folder_is_not_writable(served: Served, tmp_path: pathlib.Path) -> None:
    served.push('a')
    served.push('b')
    before = snapshot(served.folder)
    code = (
        'import os, pathlib, sys\n'
        'from components.common.errors import DataError\n'
        'from pipeline.models.listing import ServingFolder\n'
        'from pipeline.models.rollback import rollback\n'
        'os.setuid(65534)\n'
        'try:\n'
        '    rollback(ServingFolder(serving_dir=sys.argv[1]))\n'
        'except DataError as err:\n'
        '    print(err)\n'
    )
    # pytest's own folders, of which there are more where several processes run tests.
    for folder in (tmp_path, *tmp_path.parents):
        if pathlib.Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, '-c', code, str(served.folder)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'{served.folder} cannot be changed: Permission denied' in done.stdout
    assert snapshot(served.folder) == before


@pytest.mark.usefixtures('checked_here')
def test_live_version_stays_when_the_rollback_is_killed_halfway(served: Served) -> None:
    first, second = served.push('a'), served.push('b')
    rollback(served.serving_folder)
    made = served.live()
    # As if it had been killed before the rename: what was withdrawn is live.
    made.rename(made.with_name('.1a2b.part'))
    assert served.serves() == 'b'
    assert [version.withdrawal for version in list_versions(served.serving_folder)] == [None, None]
    again = rollback(served.serving_folder)
    assert (again.was.name, again.now.restores) == (second, first)
    assert served.serves() == 'a'
    assert not list(served.folder.glob('*.part'))


@pytest.mark.usefixtures('checked_here')
def test_model_stays_withdrawn_when_its_version_is_removed(served: Served) -> None:
    first, second = served.push('a'), served.push('b')
    rollback(served.serving_folder)
    digest = digest_of_model(str(served.folder / second))
    (served.folder / second).rename(served.folder / 'elsewhere')
    served.push('c')
    assert read_withdrawals(str(served.folder))[digest].version == second
    # One goes back to what was live before a push, which is what a rollback has restored.
    versions = list_versions(served.serving_folder)
    assert [version.restores for version in versions] == [None, first, None]
