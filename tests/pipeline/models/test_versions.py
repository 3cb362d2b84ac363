"""Which pushed version is live."""

from __future__ import annotations

import pathlib

from pipeline.models.versions import live_version, versions


def make_version(folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    (path / 'variables').mkdir(parents=True)
    (path / 'saved_model.pb').write_text('graph')
    (path / 'variables' / 'variables.index').write_text('v')
    return path


def test_highest_number_is_live_and_other_entries_are_not_listed(tmp_path: pathlib.Path) -> None:
    for name in ('9', '10', '2', '.a1b2.part', 'backup'):
        make_version(tmp_path, name)
    (tmp_path / '99').mkdir()
    (tmp_path / '100').write_text('a file')
    assert [path.name for path in versions(tmp_path)] == ['2', '9', '10']
    live = live_version(tmp_path)
    assert live is not None
    assert live.name == '10'


def test_nothing_is_live_when_the_folder_is_missing(tmp_path: pathlib.Path) -> None:
    assert live_version(tmp_path / 'none') is None
