from __future__ import annotations

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components import features
from components.trainer import dataset
from components.trainer.dataset import LabelledTokens, read_split
from components.trainer.serving import TransformGraph
from tests.components.trainer.tiny import COUNTS, TEXT, Review, Tiny, write_split


@pytest.fixture(scope='module')
def transform(tiny: Tiny) -> TransformGraph:
    return TransformGraph(tft.TFTransformOutput(str(tiny.transform_graph)), TEXT.max_tokens)


def plain_ids(tiny: Tiny, text: str) -> list[int]:
    """Look words up in the vocabulary file, which has no punctuation or capitals to remove."""
    path = tiny.transform_graph / 'transform_fn' / 'assets' / features.VOCABULARY_NAME
    known = {word: number for number, word in enumerate(path.read_text().split(), start=2)}
    ids = [known.get(word, features.UNKNOWN_ID) for word in text.split()][: TEXT.max_tokens]
    return ids + [features.PADDING_ID] * (TEXT.max_tokens - len(ids))


@pytest.mark.parametrize('split', features.SPLITS)
def test_rows_are_those_of_the_vocabulary_when_a_split_is_read(
    split: str, tiny: Tiny, transform: TransformGraph
) -> None:
    data = read_split([tiny.pattern(split)], transform)
    assert data.tokens.shape == (COUNTS[split], TEXT.max_tokens)
    assert data.labels.shape == (COUNTS[split], 1)
    assert (data.tokens.dtype, data.labels.dtype) == (np.int32, np.float32)
    expected = [(*plain_ids(tiny, text), label) for text, label in tiny.reviews[split]]
    rows = np.hstack([data.tokens, data.labels.astype(np.int32)])
    assert sorted(map(tuple, rows.tolist())) == sorted(expected)
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
    np.testing.assert_array_equal(one.tokens, other.tokens)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.labels.tolist() != sorted(one.labels.tolist())


def test_reading_fails_when_no_file_matches(tmp_path: pathlib.Path, tiny: Tiny) -> None:
    transform = TransformGraph(tft.TFTransformOutput(str(tiny.transform_graph)), 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match='No files matched pattern'):
        read_split([str(tmp_path / '*')], transform)


def batched(data: LabelledTokens, **kwargs: int) -> list[list[int]]:
    return [[int(row[0]) for row in tokens] for tokens, _ in data.batches(4, **kwargs)]


def test_order_is_new_each_epoch_and_the_same_each_time_when_a_seed_is_given() -> None:
    data = LabelledTokens(np.arange(10, dtype=np.int32)[:, None], np.zeros([10, 1], np.float32))
    assert batched(data) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def epochs(seed: int) -> list[list[int]]:
        batches = data.batches(4, shuffle_seed=seed)
        return [[int(row[0]) for tokens, _ in batches for row in tokens] for _ in range(3)]

    first, second, third = epochs(seed=1)
    assert sorted(first) == sorted(second) == sorted(third) == list(range(10))
    assert first != second != third
    assert epochs(seed=1) == [first, second, third]
    assert epochs(seed=2) != [first, second, third]
