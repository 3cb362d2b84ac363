"""The command line and the output of each peer."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any, NamedTuple

from benchmarks import metrics


class Arguments(NamedTuple):
    """Arguments of a peer.

    Attributes:
        archive: The IMDB archive.
        model_dir: Empty folder for the model.
        seed: Seed of all random choices.
        options: Options of this peer.
    """

    archive: str
    model_dir: pathlib.Path
    seed: int
    options: argparse.Namespace


def parse(parser: argparse.ArgumentParser) -> Arguments:
    """Parse the command line of a peer, and create the folder for its model."""
    parser.add_argument('archive')
    parser.add_argument('output_dir', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    model_dir = options.output_dir / 'model'
    model_dir.mkdir(parents=True)
    return Arguments(options.archive, model_dir, options.seed, options)


def report(labels: Any, probabilities: Any, model: pathlib.Path) -> None:
    """Print the test metrics and the folder of the model as one line of JSON.

    Args:
        labels: Labels of the test split, 0 or 1, `[examples]`.
        probabilities: Probabilities of label 1, `[examples]`.
        model: Folder of the model.
    """
    line = {'metrics': metrics.quality(labels, probabilities), 'model': str(model)}
    print(json.dumps(line), flush=True)
