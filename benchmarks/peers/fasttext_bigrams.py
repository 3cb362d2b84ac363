"""fastText: words and bigrams, 10 dimensions, 5 epochs, learning rate 1."""

from __future__ import annotations

import argparse
import os
import pathlib
import string
import tempfile

import fasttext
import numpy as np
import numpy.typing as npt

from benchmarks.peers.report import parse, report
from benchmarks.reviews import NAMES, read_splits, shuffled

MODEL_FILE = 'model.bin'

_LABEL = '__label__'
_STRIPPED = str.maketrans({mark: ' ' for mark in string.punctuation})


def clean(text: str) -> str:
    """Lower-case, and drop line breaks and punctuation: fastText itself splits at spaces only.

    >>> clean('Good.<br />Very GOOD!')
    'good very good'
    """
    return ' '.join(text.replace('<br />', ' ').lower().translate(_STRIPPED).split())


def positive_probabilities(
    model: fasttext.FastText._FastText, texts: list[str]
) -> npt.NDArray[np.float64]:
    """Return the probability of `pos` for each text, float64 `[texts]`."""
    names, values = model.predict([clean(text) for text in texts], k=len(NAMES))
    positive = _LABEL + NAMES[1]
    return np.array([row[labels.index(positive)] for labels, row in zip(names, values)])


def main() -> None:
    arguments = parse(argparse.ArgumentParser())
    splits = read_splits(arguments.archive)
    train = shuffled(splits['train'], arguments.seed)
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
            seed=arguments.seed,
            verbose=0,
        )
    probabilities = positive_probabilities(model, splits['test'].texts)
    model.save_model(str(arguments.model_dir / MODEL_FILE))
    report(splits['test'].labels, probabilities, arguments.model_dir)


if __name__ == '__main__':
    main()
