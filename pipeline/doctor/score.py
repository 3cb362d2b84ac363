"""Scores texts with a model in this process alone: `python -m pipeline.doctor.score DIR TEXT…`."""

from __future__ import annotations

import json
import pathlib
import sys

from components.common.errors import ReviewsError
from pipeline.predict.model import PushedModel
from pipeline.process.logs import no_framework_noise


def main(folder: str, *texts: str) -> int:
    """Print the probabilities as a JSON list; return the exit code."""
    with no_framework_noise() as terminal:
        try:
            scores = PushedModel(pathlib.Path(folder)).score(texts)
        except ReviewsError as err:
            print(' '.join(str(err).split()), file=terminal.err)
            return err.exit_code
        print(json.dumps([float(score.probability) for score in scores]), file=terminal.out)
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
