from __future__ import annotations

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf

from components.common import features
from components.trainer import dataset
from components.trainer.dataset import Batching, LabelledTokens, StoredExamples, read_split
from components.trainer.serving import TransformGraph
from tests.components.trainer.tiny import COUNTS, TEXT, Review, Tiny, write_split


@pytest.fixture(scope='module')
def transform(tiny: Tiny) -> TransformGraph:
    return tiny.load_transform()


def plain_ids(tiny: Tiny, text: str) -> list[int]:
    """Look up the words of a text without punctuation or capitals in the vocabulary file."""
    path = tiny.transform_graph / 'transform_fn' / 'assets' / features.VOCABULARY_NAME
    known = {word: number for number, word in enumerate(path.read_text().split(), start=2)}
    return [known.get(word, features.UNKNOWN_ID) for word in text.split()][: TEXT.max_tokens]


@pytest.mark.parametrize('split', features.SPLITS)
def test_ids_are_those_of_the_vocabulary_when_a_split_is_read(
    split: str, tiny: Tiny, transform: TransformGraph
) -> None:
    data = read_split(tiny.pattern(split), transform)
    assert data.row_splits.shape == (COUNTS[split] + 1,)
    assert data.labels.shape == (COUNTS[split], 1)
    assert (data.tokens.dtype, data.labels.dtype) == (np.int32, np.float32)
    assert data.row_splits.dtype == np.int64
    expected = [(plain_ids(tiny, text), label) for text, label in tiny.reviews[split]]
    rows = data.ragged().to_list()
    assert sorted(zip(rows, data.labels[:, 0].tolist())) == sorted(expected)
    assert {len(row) for row in rows} == {5, 30, TEXT.max_tokens}
    assert 0 < (data.tokens == features.UNKNOWN_ID).mean() < 1


def test_order_of_rows_is_unchanged_when_files_and_batches_differ(
    tiny: Tiny,
    transform: TransformGraph,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The last text occurs with both labels, so that only the label determines its order.
    reviews: list[Review] = [*tiny.reviews['train'], ('good word1', 0), ('good word1', 1)]
    write_split(tmp_path / 'one', [reviews])
    random.Random(5).shuffle(reviews)
    write_split(tmp_path / 'other', [reviews[:50], [], reviews[50:]])
    one = read_split(str(tmp_path / 'one' / '*'), transform)
    monkeypatch.setattr(dataset, '_TEXTS_PER_BATCH', 7)
    other = read_split(str(tmp_path / 'other' / '*'), transform)
    for part, of_other in zip(one, other):
        np.testing.assert_array_equal(part, of_other)
    assert one.labels.tolist() != sorted(one.labels.tolist())


def test_reading_fails_when_no_file_matches(
    tmp_path: pathlib.Path, transform: TransformGraph
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match='No files matched pattern'):
        read_split(str(tmp_path / '*'), transform)


def test_rows_are_complete_when_texts_are_empty_or_batches_small(
    tiny: Tiny, transform: TransformGraph, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews: list[Review] = [('', 0), ('good ' * 9, 1), ('?!', 1), ('', 1), ('bad neverseen', 0)]
    write_split(tmp_path / 'texts', [reviews])
    monkeypatch.setattr(dataset, '_TEXTS_PER_BATCH', 2)
    data = read_split(str(tmp_path / 'texts' / '*'), transform)
    good, bad = plain_ids(tiny, 'good bad')
    assert sorted(zip(data.ragged().to_list(), data.labels[:, 0].tolist())) == [
        ([], 0),
        ([], 1),
        ([], 1),
        *sorted([([good] * 9, 1), ([bad, features.UNKNOWN_ID], 0)]),
    ]


def test_rows_are_concatenated_when_two_splits_are_joined() -> None:
    other = LabelledTokens.from_rows([[], [4], [5, 6]], [1, 0, 1])
    joined = LabelledTokens.from_rows([[2, 3], []], [0, 1]).joined(other)
    assert joined.ragged().to_list() == [[2, 3], [], [], [4], [5, 6]]
    assert joined.labels.tolist() == [[0], [1], [1], [0], [1]]
    assert [part.dtype for part in joined] == [np.int32, np.int64, np.float32]


@pytest.mark.parametrize('streamed', [False, True])
def test_order_differs_by_epoch_and_depends_on_the_seed_when_examples_are_shuffled(
    streamed: bool, tiny: Tiny, transform: TransformGraph
) -> None:
    examples = StoredExamples(str(tiny.examples), transform)
    data = examples.read('train')

    def batches(batching: Batching) -> tf.data.Dataset:
        return examples.stream('train', batching) if streamed else data.batches(batching)

    def epochs(seed: int | None) -> list[list[list[float]]]:
        dataset = batches(Batching(20, 50, seed))
        assert len(dataset) == 3
        return [
            [[*row, label] for part in dataset for row, (label,) in zip(*map(np.array, part))]
            for _ in range(2)
        ]

    first, second = epochs(seed=1)
    expected = [[*row, label] for row, (label,) in zip(data.padded(20), data.labels)]
    in_order, again = epochs(seed=None)
    assert in_order == again
    assert sorted(first) == sorted(second) == sorted(in_order) == sorted(expected)
    assert first != second
    assert epochs(seed=1) == [first, second] != epochs(seed=2)
    assert [len(labels) for _, labels in batches(Batching(20, 50, 1))] == [50, 50, 20]
    cut = batches(Batching(20, 50, 1, multiple_of=50))
    assert [len(labels) for _, labels in cut] == [50, 50]
    assert len(cut) == 2
