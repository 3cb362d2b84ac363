from __future__ import annotations

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.common import features
from components.trainer import dataset
from components.trainer.dataset import LabelledTokens, read_split
from components.trainer.serving import TransformGraph
from tests.components.trainer.tiny import COUNTS, TEXT, Review, Tiny, write_split


@pytest.fixture(scope='module')
def transform(tiny: Tiny) -> TransformGraph:
    return TransformGraph(tft.TFTransformOutput(str(tiny.transform_graph)))


def plain_ids(tiny: Tiny, text: str) -> list[int]:
    """Look words up in the vocabulary file, which has no punctuation or capitals to remove."""
    path = tiny.transform_graph / 'transform_fn' / 'assets' / features.VOCABULARY_NAME
    known = {word: number for number, word in enumerate(path.read_text().split(), start=2)}
    return [known.get(word, features.UNKNOWN_ID) for word in text.split()][: TEXT.max_tokens]


@pytest.mark.parametrize('split', features.SPLITS)
def test_rows_are_those_of_the_vocabulary_when_a_split_is_read(
    split: str, tiny: Tiny, transform: TransformGraph
) -> None:
    data = read_split([tiny.pattern(split)], transform)
    assert data.row_splits.shape == (COUNTS[split] + 1,)
    assert data.labels.shape == (COUNTS[split], 1)
    assert (data.tokens.dtype, data.labels.dtype) == (np.int32, np.float32)
    assert data.row_splits.dtype == np.int64
    expected = [(plain_ids(tiny, text), label) for text, label in tiny.reviews[split]]
    rows = data.ragged().to_list()
    assert sorted(zip(rows, data.labels[:, 0].tolist())) == sorted(expected)
    assert {len(row) for row in rows} == {5, 30, TEXT.max_tokens}
    assert 0 < (data.tokens == features.UNKNOWN_ID).mean() < 1


def test_rows_have_one_order_when_files_and_batches_are_cut_otherwise(
    tiny: Tiny,
    transform: TransformGraph,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One text twice with either label: only the label can put these rows in order.
    reviews: list[Review] = [*tiny.reviews['train'], ('good word1', 0), ('good word1', 1)]
    write_split(tmp_path / 'one', [reviews])
    random.Random(5).shuffle(reviews)
    write_split(tmp_path / 'other', [reviews[:50], [], reviews[50:]])
    one = read_split([str(tmp_path / 'one' / '*')], transform)
    monkeypatch.setattr(dataset, '_TEXTS_PER_BATCH', 7)
    other = read_split([str(tmp_path / 'other' / '*')], transform)
    for part, of_other in zip(one, other):
        np.testing.assert_array_equal(part, of_other)
    assert one.labels.tolist() != sorted(one.labels.tolist())


def test_reading_fails_when_no_file_matches(tmp_path: pathlib.Path, tiny: Tiny) -> None:
    transform = TransformGraph(tft.TFTransformOutput(str(tiny.transform_graph)))
    with pytest.raises(tf.errors.InvalidArgumentError, match='No files matched pattern'):
        read_split([str(tmp_path / '*')], transform)


def labelled(rows: list[list[int]], labels: list[int]) -> LabelledTokens:
    return LabelledTokens(
        np.array([token for row in rows for token in row], np.int32),
        np.cumsum([0, *map(len, rows)]),
        np.array(labels, np.float32)[:, np.newaxis],
    )


def test_rows_keep_their_ends_when_they_are_empty_or_longer_than_a_batch(
    tiny: Tiny, transform: TransformGraph, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews: list[Review] = [('', 0), ('good ' * 9, 1), ('?!', 1), ('', 1), ('bad neverseen', 0)]
    write_split(tmp_path / 'texts', [reviews])
    monkeypatch.setattr(dataset, '_TEXTS_PER_BATCH', 2)
    data = read_split([str(tmp_path / 'texts' / '*')], transform)
    good, bad = plain_ids(tiny, 'good bad')
    assert sorted(zip(data.ragged().to_list(), data.labels[:, 0].tolist())) == [
        ([], 0),
        ([], 1),
        ([], 1),
        *sorted([([good] * 9, 1), ([bad, features.UNKNOWN_ID], 0)]),
    ]


def test_rows_are_cut_or_filled_when_they_are_padded() -> None:
    padded = labelled([[2, 3, 4], [], [5]], [0, 1, 1]).padded(2)
    assert padded.dtype == np.int32
    assert padded.tolist() == [[2, 3], [0, 0], [5, 0]]
    assert labelled([[2, 3, 4], [], [5]], [0, 1, 1]).padded(4).tolist() == [
        [2, 3, 4, 0],
        [0, 0, 0, 0],
        [5, 0, 0, 0],
    ]


def test_rows_of_both_follow_when_two_splits_are_joined() -> None:
    joined = labelled([[2, 3], []], [0, 1]).joined(labelled([[], [4], [5, 6]], [1, 0, 1]))
    assert joined.ragged().to_list() == [[2, 3], [], [], [4], [5, 6]]
    assert joined.labels.tolist() == [[0], [1], [1], [0], [1]]
    assert [part.dtype for part in joined] == [np.int32, np.int64, np.float32]
