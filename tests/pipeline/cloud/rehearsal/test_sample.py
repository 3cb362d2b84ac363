"""Without data, a rehearsal has a small cut of the sample."""

from __future__ import annotations

import csv
import pathlib

import pytest

from components.common.errors import DataError
from pipeline.cloud.rehearsal.sample import SAMPLE, SAMPLE_ROWS, cut_sample


def _rows(path: pathlib.Path) -> list[list[str]]:
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.reader(file))


def test_the_cut_is_the_first_rows_of_the_sample(tmp_path: pathlib.Path) -> None:
    path = cut_sample(tmp_path / 'new')
    assert _rows(path) == _rows(SAMPLE)[: SAMPLE_ROWS + 1]


def test_the_cut_keeps_its_time_when_it_is_there(tmp_path: pathlib.Path) -> None:
    before = cut_sample(tmp_path).stat()
    after = cut_sample(tmp_path).stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_the_cut_is_made_anew_when_it_was_changed(tmp_path: pathlib.Path) -> None:
    path = cut_sample(tmp_path)
    path.write_text('text,label\n')
    assert len(_rows(cut_sample(tmp_path))) == SAMPLE_ROWS + 1


def test_quoted_newlines_stay_in_their_row(tmp_path: pathlib.Path) -> None:
    source = tmp_path / 'source.csv'
    source.write_text('text,label\n"two\nlines",1\nb,0\n')
    assert _rows(cut_sample(tmp_path / 'cut', source=source)) == [
        ['text', 'label'],
        ['two\nlines', '1'],
        ['b', '0'],
    ]


def test_a_missing_sample_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='the sample data cannot be read'):
        cut_sample(tmp_path, source=tmp_path / 'nothing.csv')
