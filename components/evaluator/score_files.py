"""Files with the scores of examples: workers write one for each file of examples."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from components.common.atomic_write import UNFINISHED, atomic_write
from components.common.settings import FeatureType
from components.common.storage import storage_of
from components.evaluator.estimation.totals import is_scored

_TYPES = {'int': pa.int64(), 'float': pa.float32(), 'string': pa.binary()}
_ROW, _LABEL = 'row', 'label'
_MODEL, _COLUMN = 'probability.', 'column.'

Column = npt.NDArray[Any]


class ScoreColumns(NamedTuple):
    """The scores of the examples of one or several files, one row for each example.

    Attributes:
        files: Names of the files of examples, without folder.
        file_index: int64 `[examples]`, index in `files`.
        rows: int64 `[examples]`, number of the example in its file, from 0.
        labels: int8 `[examples]`; an example with a label other than 0 and 1 has the label 0,
            and no score.
        predictions: float64 `[examples]` by model, `candidate` and perhaps `baseline`: the
            probability of the label 1. NaN if it is not in [0, 1].
        columns: Values `[examples]` by feature column, as for `find_slices`.
    """

    files: list[str]
    file_index: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int8]
    predictions: dict[str, npt.NDArray[np.float64]]
    columns: dict[str, Column]


def scores_path(evaluation: str, index: int, count: int) -> str:
    """Return the path of the scores of a file of examples.

    >>> scores_path('evaluation', 0, 2)
    'evaluation/report/scores-00000-of-00002.parquet'
    """
    return posixpath.join(evaluation, 'report', f'scores-{index:05}-of-{count:05}.parquet')


def write_scores(
    path: str,
    rows: Column,
    labels: Column,
    predictions: Mapping[str, Column],
    *,
    columns: Mapping[str, Column],
    types: Mapping[str, FeatureType],
    evaluation: str,
) -> None:
    """Write the scores of a file of examples; a repeated call replaces the file.

    Args:
        path: From `scores_path`.
        rows: int64 `[examples]`, number of the example in its file; any order.
        labels: int64 `[examples]`.
        predictions: float32 or float64 `[examples]` by model.
        columns: Values `[examples]` by feature column, of objects; None is missing.
        types: Types of these columns.
        evaluation: Folder of the Evaluation artifact.
    """
    order = np.argsort(rows)
    table = {
        _ROW: pa.array(rows[order], pa.int64()),
        _LABEL: pa.array(labels[order], pa.int64()),
        **{_MODEL + name: pa.array(values[order]) for name, values in predictions.items()},
        **{
            _COLUMN + name: pa.array(values[order], _TYPES[types[name]])
            for name, values in columns.items()
        },
    }
    content = io.BytesIO()
    parquet.write_table(pa.table(table), content)
    atomic_write(path, content.getvalue(), part_dir=posixpath.join(evaluation, UNFINISHED))


def read_scores(
    paths: Sequence[str], files: Sequence[str], models: Sequence[str], columns: Sequence[str]
) -> ScoreColumns:
    """Read the scores of all files of examples.

    Args:
        paths: Files that `write_scores` wrote.
        files: The file of examples of each of them.
        models: Names of the models.
        columns: Names of the feature columns.

    Raises:
        OSError: If a file is missing.
    """
    tables = [_read(path) for path in paths]

    def column(name: str) -> pa.ChunkedArray:
        parts = [chunk for table in tables for chunk in table.column(name).chunks]
        return pa.chunked_array(parts, parts[0].type if parts else pa.null())

    def numbers(name: str) -> Column:
        return np.concatenate([np.zeros(0), *(t.column(name).to_numpy() for t in tables)])

    labels = numbers(_LABEL)
    predictions = {name: numbers(_MODEL + name).astype(np.float64) for name in models}
    for values in predictions.values():
        values[~is_scored(labels, values)] = np.nan
    return ScoreColumns(
        files=[posixpath.basename(file) for file in files],
        file_index=np.repeat(np.arange(len(tables)), [table.num_rows for table in tables]),
        rows=numbers(_ROW).astype(np.int64),
        labels=np.where(labels == 1, 1, 0).astype(np.int8),
        predictions=predictions,
        columns={name: _values(column(_COLUMN + name)) for name in columns},
    )


def _read(path: str) -> pa.Table:
    with storage_of(path).GFile(path, 'rb') as file:
        return parquet.read_table(io.BytesIO(file.read()))


def _values(column: pa.ChunkedArray) -> Column:
    if pa.types.is_floating(column.type):
        # A missing number becomes NaN.
        return np.asarray(column.fill_null(np.nan).to_numpy(), np.float64)
    if not len(column):
        return np.empty(0, object)
    # Equal values share one object.
    encoded = column.dictionary_encode().combine_chunks()
    different = encoded.dictionary.to_pylist()
    values = np.empty(len(different) + 1, object)
    # Values with different bytes stay different.
    values[:-1] = [
        v.decode(errors='backslashreplace') if isinstance(v, bytes) else v for v in different
    ]
    index: npt.NDArray[np.int64] = encoded.indices.fill_null(len(different)).to_numpy()
    return values[index]
