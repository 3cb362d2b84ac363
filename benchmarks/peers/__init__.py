"""The peers: other programs that train a classifier on IMDB.

`python -m benchmarks.peers MODULE ARCHIVE OUTPUT_DIR` does everything: it reads the
archive, trains on the official training split, tests on the official test split,
saves its model below OUTPUT_DIR, and prints one line of JSON. None of them uses
the pipeline's code.

Each module has two functions: `train(task)` saves a model and returns the
probabilities of `pos` for the test reviews, and `load(model_dir)` returns a function
from texts to these probabilities.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

from benchmarks.reviews import Split, read_splits


class PeerTask(NamedTuple):
    """What a peer has to train.

    Attributes:
        archive: The IMDB archive.
        model_dir: Empty folder for the model.
        seed: Seed of all random choices.
        variant: Variant of the peer; empty if it has only one.
    """

    archive: str
    model_dir: pathlib.Path
    seed: int
    variant: str

    def read(self) -> tuple[Split, Split]:
        """Return the training and the test reviews, in the order of the archive."""
        splits = read_splits(self.archive)
        return splits['train'], splits['test']
