"""fastText: words and bigrams, 10 dimensions, 5 epochs, learning rate 1."""

from __future__ import annotations

import os
import pathlib
import string
import tempfile
from typing import Any

import fasttext

from benchmarks.peers import PeerTask
from benchmarks.reviews import NAMES, shuffled

_MODEL_FILE = 'model.bin'

_LABEL = '__label__'
_STRIPPED = str.maketrans({mark: ' ' for mark in string.punctuation})


def clean(text: str) -> str:
    """Lower-case, and drop line breaks and punctuation: fastText itself splits at spaces only.

    >>> clean('Good.<br />Very GOOD!')
    'good very good'
    """
    return ' '.join(text.replace('<br />', ' ').lower().translate(_STRIPPED).split())


def train(task: PeerTask) -> tuple[list[int], Any]:
    train, test = task.read()
    train = shuffled(train, task.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'train.txt')
        with path.open('w', encoding='utf-8') as file:
            for text, label in zip(train.texts, train.labels):
                file.write(f'{_LABEL}{NAMES[label]} {clean(text)}\n')
        model = fasttext.train_supervised(
            str(path),
            wordNgrams=2,
            epoch=5,
            dim=10,
            # As in fastText's own tutorial on text classification: at its default of
            # 0.1, five epochs do not get far.
            lr=1.0,
            thread=os.cpu_count() or 1,
            seed=task.seed,
            verbose=0,
        )
    probabilities = _positive_probabilities(model, test.texts)
    model.save_model(str(task.model_dir / _MODEL_FILE))
    return test.labels, probabilities


def load(model_dir: pathlib.Path) -> Any:
    model = fasttext.load_model(str(model_dir / _MODEL_FILE))
    return lambda texts: _positive_probabilities(model, texts)


def _positive_probabilities(model: Any, texts: list[str]) -> list[float]:
    names, values = model.predict([clean(text) for text in texts], k=len(NAMES))
    positive = _LABEL + NAMES[1]
    return [row[labels.index(positive)] for labels, row in zip(names, values)]
