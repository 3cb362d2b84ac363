"""Loads a model, and prints what it says of fixed texts: `python -m benchmarks.stacks.scores DIR`.

A process of its own, which sees nothing of what training left in memory.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.stacks.probes import probe_texts, sums
from components.common import features


def answers(model_dir: pathlib.Path, texts: Sequence[str]) -> dict[str, Any]:
    """Ask a model by each of its signatures.

    Args:
        model_dir: The folder of a pushed version.
        texts: What to ask about.

    Returns:
        `serving_text` and `serving_default`: the probability of the positive
        label of each text. `explain_text`: for each text `bias`, and what each
        n-gram adds to the logit by `contributions`.
    """
    import tensorflow as tf

    from pipeline.predict.model import PushedModel

    model = PushedModel(model_dir)
    serving = tf.saved_model.load(str(model_dir)).signatures[features.EXAMPLES_SIGNATURE]
    examples = [_example(text) for text in texts]
    scored = serving(**{features.EXAMPLES_INPUT: tf.constant(examples)})
    return {
        features.TEXT_SIGNATURE: [float(score.probability) for score in model.score(texts)],
        features.EXAMPLES_SIGNATURE: scored[features.PROBABILITY_KEY].numpy().tolist(),
        features.EXPLAIN_SIGNATURE: [
            {'bias': bias, 'contributions': sums(parts)} for bias, parts in model.explain(texts)
        ],
    }


def _example(text: str) -> bytes:
    import tensorflow as tf

    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    found = tf.train.Features(feature={features.TEXT_KEY: value})
    content: bytes = tf.train.Example(features=found).SerializeToString()
    return content


if __name__ == '__main__':
    print(json.dumps(answers(pathlib.Path(sys.argv[1]), probe_texts())))
