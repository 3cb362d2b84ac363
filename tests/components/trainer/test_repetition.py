"""Training on the same examples gives the same model."""

from __future__ import annotations

import pathlib
import random

import numpy as np
import pytest

from components.common import features
from tests.components.trainer.tiny import COUNTS, Tiny, train_stored, write_split, write_summary

LEARNED = (features.TRAIN_SPLIT, features.VAL_SPLIT)


@pytest.mark.parametrize(
    ('architecture', 'small'),
    [
        ('tutorial', {'epochs': 1, 'batch_size': 8, 'embedding_dim': 4}),
        ('ngram', {}),
        ('ngram', {'dimensions': 4}),
    ],
)
def test_weights_are_equal_when_rows_are_in_another_order_and_in_other_files(
    architecture: str, small: dict[str, int], tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    rng = random.Random(4)
    other = tmp_path / 'examples'
    for split in LEARNED:
        rows = rng.sample(tiny.reviews[split], len(tiny.reviews[split]))
        write_split(other / f'Split-{split}', [rows[:7], rows[7:30], rows[30:]])
    write_summary(other, {split: (COUNTS[split] // 2, COUNTS[split] // 2) for split in LEARNED})
    first, again = (
        train_stored(
            architecture, examples, tiny.transform_graph, tmp_path / name, **small
        ).model.get_weights()
        for name, examples in (('first', tiny.examples), ('again', other))
    )
    assert len(first) == len(again) > 0
    # Bitwise equal: TensorFlow does not divide sums as small as these among threads.
    assert all(np.array_equal(one, other) for one, other in zip(first, again))
    assert any(np.std(weights) > 0 for weights in first)
