"""Scores with a pushed model from many threads: `python -m tests.torture.load MODEL SECONDS`."""

from __future__ import annotations

import json
import pathlib
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import tensorflow as tf

from components.common import features
from pipeline.predict.model import PushedModel
from tests.conftest import SAMPLE

THREADS = 8
_TEXTS_PER_CALL = (1, 2, 8, 32)
_TEXTS = 2_000
# Allocators fill their pools first.
_WARM_UP_SHARE = 0.25
_SAMPLES = 20


class Answers(NamedTuple):
    """What a thread saw.

    Attributes:
        calls: How often it called the model.
        texts: How many texts it had scored.
        changed: How many of them were not scored as before.
        errors: What went wrong.
    """

    calls: int
    texts: int
    changed: int
    errors: list[str]


def main(model_dir: pathlib.Path, seconds: float) -> None:
    """Print the result as JSON."""
    import csv

    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        texts = [row['text'] for row in csv.DictReader(file)][:_TEXTS]
    # Some are long, as reviews are; the short ones are most of a service's load.
    texts += [' '.join(texts[start : start + 60]) for start in range(0, 600, 60)]
    model = PushedModel(model_dir)
    examples = tf.saved_model.load(str(model_dir))
    expected = [score.probability for score in model.score(texts)]
    stop = threading.Event()

    def work(seed: int) -> Answers:
        choose = random.Random(seed)
        calls = scored = changed = 0
        errors: list[str] = []
        while not stop.is_set():
            rows = choose.choices(range(len(texts)), k=choose.choice(_TEXTS_PER_CALL))
            try:
                if seed % 2:
                    said = [s.probability for s in model.score([texts[row] for row in rows])]
                else:
                    said = _score_examples(examples, [texts[row] for row in rows])
            except Exception as err:
                errors.append(repr(err))
                continue
            calls, scored = calls + 1, scored + len(rows)
            # Sums come in another order in another batch: that is not a change.
            changed += sum(
                abs(float(one) - float(expected[row])) > 1e-6 for one, row in zip(said, rows)
            )
        return Answers(calls, scored, changed, errors)

    memory: list[int] = []
    with ThreadPoolExecutor(THREADS) as pool:
        working = [pool.submit(work, seed) for seed in range(THREADS)]
        time.sleep(seconds * _WARM_UP_SHARE)
        for _ in range(_SAMPLES):
            memory.append(_resident_bytes())
            time.sleep(seconds * (1 - _WARM_UP_SHARE) / _SAMPLES)
        stop.set()
        answers = [future.result() for future in working]
    print(
        json.dumps(
            {
                'calls': sum(a.calls for a in answers),
                'texts': sum(a.texts for a in answers),
                'changed': sum(a.changed for a in answers),
                'errors': [error for a in answers for error in a.errors][:5],
                'resident_bytes': memory,
            }
        )
    )


def _score_examples(model: object, texts: list[str]) -> list[float]:
    rows = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    features.TEXT_KEY: tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[text.encode()])
                    )
                }
            )
        ).SerializeToString()
        for text in texts
    ]
    signature = model.signatures[features.EXAMPLES_SIGNATURE]  # type: ignore[attr-defined]
    said = signature(**{features.EXAMPLES_INPUT: tf.constant(rows, tf.string)})
    values: list[float] = said[features.PROBABILITY_KEY].numpy().tolist()
    return values


def _resident_bytes() -> int:
    status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
    (line,) = (line for line in status.splitlines() if line.startswith('VmRSS:'))
    return int(line.split()[1]) * 1024


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]), float(sys.argv[2]))
