"""What each peer does in the end: judge its probabilities, print one line."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any, NamedTuple

from benchmarks import metrics


class Arguments(NamedTuple):
    """What a peer is started with.

    Attributes:
        archive: The IMDB archive.
        model_dir: Where the model goes; exists, and is empty.
        seed: Of whatever is random.
        options: Those of the peer itself.
    """

    archive: str
    model_dir: pathlib.Path
    seed: int
    options: argparse.Namespace


def parse(parser: argparse.ArgumentParser) -> Arguments:
    """Read the command line of a peer, and make the folder for its model."""
    parser.add_argument('archive')
    parser.add_argument('output_dir', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    model_dir = options.output_dir / 'model'
    model_dir.mkdir(parents=True)
    return Arguments(options.archive, model_dir, options.seed, options)


def report(labels: Any, probabilities: Any, model: pathlib.Path) -> None:
    """Print the test metrics and where the model is.

    Args:
        labels: Of the test split, 0 or 1, `[examples]`.
        probabilities: Of label 1, `[examples]`.
        model: A folder.
    """
    line = {'metrics': metrics.quality(labels, probabilities), 'model': str(model)}
    print(json.dumps(line), flush=True)
