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


def same_model(one: str, other: str) -> bool:
    return digest_of_model(one) == digest_of_model(other)


def test_models_differ_when_one_byte_does(tmp_path: pathlib.Path) -> None:
    one, equal = make_version(tmp_path, '1'), make_version(tmp_path, '2')
    assert same_model(str(one), str(equal))
    assert not same_model(str(one), str(make_version(tmp_path, '3', content='grapH')))
    (equal / 'variables' / 'more').write_text('')
    assert not same_model(str(one), str(equal))


def test_models_are_the_same_when_one_has_a_card(tmp_path: pathlib.Path) -> None:
    one, pushed = make_version(tmp_path, '1'), make_version(tmp_path, '2')
    (pushed / 'assets.extra').mkdir()
    (pushed / 'assets.extra' / 'model_card.md').write_text('# Model card\n')
    assert same_model(str(one), str(pushed))
    (pushed / 'assets.extra' / 'labels.json').write_text('[]')
    assert not same_model(str(one), str(pushed))


def test_models_are_the_same_when_one_has_the_record_of_a_rollback(tmp_path: pathlib.Path) -> None:
    one, copy = make_version(tmp_path, '1'), make_version(tmp_path, '3')
    (copy / 'assets.extra').mkdir()
    told = {'version': '1', 'instead_of': '2', 'at': '2026-11-25 09:00:00 UTC'}
    (copy / 'assets.extra' / 'rollback.json').write_text(json.dumps(told))
    assert same_model(str(one), str(copy))
    assert digest_of_model(str(one)) == digest_of_model(str(copy))
    assert restored_by(str(one)) is None
    assert restored_by(str(copy)) == Restored('1', '2', '2026-11-25 09:00:00 UTC')


@pytest.mark.parametrize('content', ['', '[]', '{"version": "1"}', 'null'])
def test_error_when_the_record_of_a_rollback_is_damaged(
    content: str, tmp_path: pathlib.Path
) -> None:
    version = make_version(tmp_path, '1')
    (version / 'assets.extra').mkdir()
    (version / 'assets.extra' / 'rollback.json').write_text(content)
    with pytest.raises(ValueError, match=r'rollback\.json|Expecting value'):
        restored_by(str(version))


def test_digest_is_that_of_the_card_when_there_is_one(tmp_path: pathlib.Path) -> None:
    version = make_version(tmp_path, '1')
    assert recorded_digest(str(version)) is None
    digest = digest_of_model(str(version))
    (version / 'assets.extra').mkdir()
    card = version / 'assets.extra' / 'model_card.md'
    card.write_text(f'# Card\n- SHA-256 of the model, over its files: `{digest}`.\n')
    assert recorded_digest(str(version)) == digest
    card.write_text('# Card\n')
    assert recorded_digest(str(version)) is None


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
