"""Tests of the records of withdrawn models in serving folders."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from components.common.errors import DataError
from components.common.model_identity import names_of_model
from components.common.model_versions import digest_of_model
from components.common.rollback_state import (
    WITHDRAWN_FILE,
    Withdrawal,
    read_withdrawals,
    withdrawn_models,
    write_withdrawals,
)

AT = '2026-11-25 09:00:00 UTC'


def test_nothing_is_withdrawn_when_there_was_no_rollback(tmp_path: pathlib.Path) -> None:
    assert read_withdrawals(str(tmp_path / 'none')) == {}
    assert withdrawn_models(str(tmp_path)) == {}


def test_list_of_withdrawals_is_replaced_when_it_is_written_again(tmp_path: pathlib.Path) -> None:
    write_withdrawals(str(tmp_path), {'aa': Withdrawal('7', AT), 'bb': Withdrawal('8', AT)})
    write_withdrawals(str(tmp_path), {'bb': Withdrawal('8', AT)})
    assert read_withdrawals(str(tmp_path)) == {'bb': Withdrawal('8', AT)}
    assert [path.name for path in tmp_path.iterdir()] == [WITHDRAWN_FILE]


def test_live_model_is_not_withdrawn_when_the_list_names_it(tmp_path: pathlib.Path) -> None:
    for name in ('7', '8'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'saved_model.pb').write_text(name)
    digests = [digest_of_model(str(tmp_path / name)) for name in ('7', '8')]
    write_withdrawals(str(tmp_path), {digest: Withdrawal('8', AT) for digest in digests})
    assert withdrawn_models(str(tmp_path)).keys() == names_of_model(str(tmp_path / '7'))


@pytest.mark.parametrize(
    'content', ['', '{', '[]', 'null', '{"aa": 1}', '{"aa": {"at": ""}}', '\udcff']
)
def test_list_of_withdrawals_is_refused_when_it_is_damaged(
    content: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / WITHDRAWN_FILE).write_bytes(content.encode(errors='surrogateescape'))
    with pytest.raises(DataError, match='the list of withdrawn models, cannot be read'):
        read_withdrawals(str(tmp_path))


def test_list_of_withdrawals_is_read_when_the_folder_is_remote(tmp_path: pathlib.Path) -> None:
    remote = f'ram://{tmp_path.name}/serving'
    write_withdrawals(str(tmp_path), {'aa': Withdrawal('7', AT)})
    tf.io.gfile.copy(str(tmp_path / WITHDRAWN_FILE), f'{remote}/{WITHDRAWN_FILE}')
    assert withdrawn_models(remote) == {'aa': Withdrawal('7', AT)}
