from __future__ import annotations

import dataclasses
import pathlib

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from pipeline.report.feature_table import read_feature_rows
from pipeline.report.render import render
from pipeline.report.view import Data, FeatureRow
from tests.pipeline.report.sample_reports import HOSTILE, make_report

FRAME = pd.DataFrame(
    {
        'text': ['a', 'b', 'c', 'd'],
        'label': [0, 1, 0, 1],
        'length': ['1-10'] * 4,
        'product': ['tea', 'cake', 'tea', HOSTILE],
        'stars': [1, 5, None, 2],
    }
)


def write(folder: pathlib.Path, split: str, frame: pd.DataFrame) -> None:
    path = folder / f'Split-{split}' / 'FeatureStats.pb'
    path.parent.mkdir(parents=True)
    path.write_bytes(tfdv.generate_statistics_from_dataframe(frame).SerializeToString())


def test_rows_are_those_of_the_feature_columns(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 'train', FRAME)
    write(tmp_path, 'val', FRAME[:2][['text', 'stars']])
    rows = read_feature_rows(str(tmp_path), ['train', 'val'])
    assert [(row.name, row.type, row.split, row.missing) for row in rows] == [
        ('product', 'string', 'train', 0.0),
        ('stars', 'float', 'train', 0.25),
        ('stars', 'float', 'val', 0.0),
    ]
    assert rows[0].values.startswith('3 different, most frequent: tea (2), ')
    assert rows[1].values == '1 to 5, mean 2.667'
    with pytest.raises(FileNotFoundError):
        read_feature_rows(str(tmp_path), ['test'])


def test_page_shows_the_values_when_there_are_feature_columns() -> None:
    report = make_report()
    assert isinstance(report.data, Data)
    assert 'Feature columns' not in render(report)
    row = FeatureRow(name='product', type='string', split='train', missing=0.5, values=HOSTILE)
    page = render(
        dataclasses.replace(report, data=dataclasses.replace(report.data, features=(row,)))
    )
    assert 'Feature columns' in page
    assert '50.0%' in page
    assert HOSTILE not in page
