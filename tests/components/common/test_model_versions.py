"""Digests of models, and the records in versions."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from components.common.model_versions import (
    Restored,
    complete_versions,
    digest_of_model,
    recorded_digest,
    restored_by,
)
from tests.conftest import REPO


def make_version(folder: pathlib.Path, name: str, content: str = 'graph') -> pathlib.Path:
    path = folder / name
    (path / 'variables').mkdir(parents=True)
    (path / 'saved_model.pb').write_text(content)
    (path / 'variables' / 'variables.index').write_text('v')
    return path


def add_extra(version: pathlib.Path, name: str, content: str) -> None:
    """Write a file to the folder that is not part of the model."""
    path = version / 'assets.extra' / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)


def same_model(one: pathlib.Path, other: pathlib.Path) -> bool:
    return digest_of_model(str(one)) == digest_of_model(str(other))


def test_models_differ_when_one_byte_or_file_does(tmp_path: pathlib.Path) -> None:
    one, equal = make_version(tmp_path, '1'), make_version(tmp_path, '2')
    assert same_model(one, equal)
    assert not same_model(one, make_version(tmp_path, '3', content='grapH'))
    (equal / 'variables' / 'more').write_text('')
    assert not same_model(one, equal)


def test_models_are_equal_when_only_one_has_a_card_and_a_rollback_record(
    tmp_path: pathlib.Path,
) -> None:
    one, copy = make_version(tmp_path, '1'), make_version(tmp_path, '3')
    add_extra(copy, 'model_card.md', '# Model card\n')
    record = {'version': '1', 'instead_of': '2', 'at': '2026-11-25 09:00:00 UTC'}
    add_extra(copy, 'rollback.json', json.dumps(record))
    assert same_model(one, copy)
    assert restored_by(str(one)) is None
    assert restored_by(str(copy)) == Restored(**record)
    add_extra(copy, 'labels.json', '[]')
    assert not same_model(one, copy)


@pytest.mark.parametrize('content', ['', '[]', '{"version": "1"}', 'null'])
def test_rollback_record_is_refused_when_it_is_damaged(
    content: str, tmp_path: pathlib.Path
) -> None:
    version = make_version(tmp_path, '1')
    add_extra(version, 'rollback.json', content)
    with pytest.raises(ValueError, match=r'rollback\.json|Expecting value'):
        restored_by(str(version))


def test_recorded_digest_is_that_of_the_file_when_there_is_one(tmp_path: pathlib.Path) -> None:
    version = make_version(tmp_path, '1')
    assert recorded_digest(str(version)) is None
    digest = digest_of_model(str(version))
    add_extra(version, 'model.sha256', f'{digest}\n')
    # The prose of the model card is for people.
    add_extra(version, 'model_card.md', f'SHA-256 of the model, over its files: `{"0" * 64}`')
    assert recorded_digest(str(version)) == digest == digest_of_model(str(version))


def test_version_is_found_when_its_name_has_leading_zeros(tmp_path: pathlib.Path) -> None:
    # TensorFlow Serving serves 007 as version 7, and does not take other digits for numbers.
    seven = make_version(tmp_path, '007')
    older = make_version(tmp_path, '5')
    make_version(tmp_path, '٩')
    assert list(complete_versions(str(tmp_path))) == [str(seven), str(older)]


def test_tfx_is_not_imported_when_the_folder_is_on_a_disk(tmp_path: pathlib.Path) -> None:
    version = make_version(tmp_path, '1')
    code = (
        'import sys\n'
        'import components.pusher.publish, components.common.model_versions as m\n'
        'import components.common.rollback_state\n'
        'print(list(m.complete_versions(sys.argv[1])), len(m.digest_of_model(sys.argv[2])))\n'
        'print("tfx" in sys.modules, "tensorflow" in sys.modules)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path), str(version)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"['{version}'] 64", 'False False']
    assert list(complete_versions(str(tmp_path))) == [str(version)]
