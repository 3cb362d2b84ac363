"""Tests of the files with the scores of examples."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from components.evaluator.score_files import read_scores, scores_path, write_scores

_TYPES: Any = {'product': 'string', 'stars': 'int', 'price': 'float'}


def objects(*values: Any) -> Any:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def write(folder: pathlib.Path, index: int, scores: list[float], products: Any) -> str:
    path = scores_path(str(folder), index, 2)
    count = len(scores)
    write_scores(
        path,
        np.arange(count)[::-1],
        np.array([0, 1, 2][:count]),
        {'candidate': np.array(scores, np.float32), 'baseline': np.zeros(count, np.float32)},
        columns={
            'product': products,
            'stars': objects(*[2**60 + 1, None, -1][:count]),
            'price': objects(*[0.1, None, 2.0][:count]),
        },
        types=_TYPES,
        evaluation=str(folder),
    )
    return path


def test_scores_are_read_in_the_order_of_the_examples(tmp_path: pathlib.Path) -> None:
    products = objects('ü'.encode(), None, b'\xff')
    paths = [
        write(tmp_path, 0, [0.25, 0.5, 0.75], products),
        write(tmp_path, 1, [], objects()),
    ]
    found = read_scores(paths, ['a/x.gz', 'a/y.gz'], ['candidate', 'baseline'], list(_TYPES))
    assert found.files == ['x.gz', 'y.gz']
    assert found.file_index.tolist() == [0, 0, 0]
    assert found.rows.tolist() == [0, 1, 2]
    # A label other than 0 and 1 has no score.
    assert found.labels.tolist() == [0, 1, 0]
    assert found.predictions['candidate'].tolist() == pytest.approx(
        [np.nan, 0.5, 0.25], nan_ok=True
    )
    assert found.columns['product'].tolist() == ['\\xff', None, 'ü']
    assert found.columns['stars'].tolist() == [-1, None, 2**60 + 1]
    assert found.columns['price'].tolist() == pytest.approx([2.0, np.nan, 0.1], nan_ok=True)


def test_there_is_one_file_when_a_worker_repeats_its_work(tmp_path: pathlib.Path) -> None:
    for score in (0.1, 0.9):
        path = write(tmp_path, 0, [score], objects(None))
    assert [file.name for file in (tmp_path / 'report').iterdir()] == [
        'scores-00000-of-00002.parquet'
    ]
    assert not list((tmp_path / '.unfinished').iterdir())
    found = read_scores([path], ['x'], ['candidate'], [])
    assert found.predictions['candidate'].tolist() == pytest.approx([0.9])


@pytest.mark.parametrize('score', [np.nan, -0.1, 1.1, np.inf])
def test_score_is_nan_when_it_is_no_probability(score: float, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, 0, [score, 1.0], objects(None, None))
    found = read_scores([path], ['x'], ['candidate'], [])
    assert np.isnan(found.predictions['candidate']).tolist() == [False, True]


def test_there_are_no_examples_when_there_are_no_files() -> None:
    found = read_scores([], [], ['candidate'], ['product'])
    assert (len(found.labels), len(found.columns['product'])) == (0, 0)


def test_scores_are_refused_when_a_file_is_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match='scores-00001-of-00002'):
        read_scores([scores_path(str(tmp_path), 1, 2)], ['x'], ['candidate'], [])
