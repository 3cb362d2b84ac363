"""Training on the same examples gives the same model."""

from __future__ import annotations

import pathlib
import random

import keras
import numpy as np
import numpy.typing as npt
import pytest

from components.common import features
from components.trainer.dataset import read_split
from components.trainer.fitting import TrainingJob
from components.trainer.models import ARCHITECTURES, load_architecture
from components.trainer.serving import TransformGraph
from components.trainer.settings import TrainerSettings
from tests.components.trainer.settings import trainer_settings
from tests.components.trainer.tiny import TEXT, Tiny, loaded, write_split

SMALL: dict[str, dict[str, int]] = {
    'tutorial': {'epochs': 1, 'batch_size': 8, 'embedding_dim': 4},
    'ngram': {},
    'accurate': {'filters': 20, 'network_words': 100, 'networks': 1, 'epochs': 1},
}
LEARNED = (features.TRAIN_SPLIT, features.VAL_SPLIT)


def train(
    patterns: list[str], transform: TransformGraph, settings: TrainerSettings, logs: pathlib.Path
) -> list[npt.NDArray[np.float32]]:
    """Train as `run_fn` does, and return the weights."""
    parts = [read_split(pattern, transform) for pattern in patterns]
    keras.utils.set_random_seed(settings.seed)
    job = TrainingJob(loaded(*parts), settings, TEXT, str(logs))
    weights: list[npt.NDArray[np.float32]] = load_architecture(settings.model.architecture)(
        job
    ).model.get_weights()
    return weights


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_weights_are_equal_when_rows_are_in_another_order_and_in_other_files(
    architecture: str, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    rng = random.Random(4)
    for split in LEARNED:
        rows = rng.sample(tiny.reviews[split], len(tiny.reviews[split]))
        write_split(tmp_path / split, [rows[:7], rows[7:30], rows[30:]])
    transform = tiny.load_transform()
    settings = trainer_settings(architecture, **SMALL[architecture])
    patterns = [tiny.pattern(split) for split in LEARNED]
    others = [f'{tmp_path}/{split}/*' for split in LEARNED]
    first = train(patterns, transform, settings, tmp_path / 'first')
    again = train(others, transform, settings, tmp_path / 'again')
    assert len(first) == len(again) > 0
    # Bitwise equal: TensorFlow does not divide sums as small as these among threads.
    assert all(np.array_equal(one, other) for one, other in zip(first, again))
    assert any(np.std(weights) > 0 for weights in first)
