"""Loads a saved model, scores the test reviews, and prints metrics and rates.

Usage: python -m benchmarks.score KIND MODEL_DIR ARCHIVE
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import metrics
from benchmarks.reviews import read_splits, shuffled

BATCH = 1_000
LATENCY_CALLS = 200

Probabilities = npt.NDArray[np.float64]
Scorer = Callable[[list[str]], Probabilities]

# The scorer of a forked process.
_scorer: Scorer | None = None


def load(kind: str, model: pathlib.Path) -> Scorer:
    """Return a function from texts to the probability of `pos`."""
    return {
        'saved_model': _load_saved_model,
        'keras': _load_keras,
        'sklearn': _load_sklearn,
        'fasttext': _load_fasttext,
        'tfx_example': _load_tfx_example,
    }[kind](model)


def _load_saved_model(model: pathlib.Path) -> Scorer:
    import tensorflow as tf

    from components.common import features

    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures[features.TEXT_SIGNATURE]

    def score(texts: list[str], _keep: Any = loaded) -> Probabilities:
        outputs = signature(**{features.TEXT_INPUT: tf.constant(texts)})
        return np.asarray(outputs[features.PROBABILITY_KEY].numpy(), np.float64).reshape(-1)

    return score


def _load_keras(model: pathlib.Path) -> Scorer:
    import keras
    import tensorflow as tf

    # Registers the function that the first layer of the model uses.
    from benchmarks.peers import keras_tutorial

    loaded = keras.saving.load_model(model / keras_tutorial.MODEL_FILE)

    def score(texts: list[str]) -> Probabilities:
        outputs = loaded.predict_on_batch(tf.constant(texts))
        return np.asarray(outputs, np.float64).reshape(-1)

    return score


def _load_sklearn(model: pathlib.Path) -> Scorer:
    import joblib

    from benchmarks.peers.sklearn_tfidf import MODEL_FILE

    loaded = joblib.load(model / MODEL_FILE)

    def score(texts: list[str]) -> Probabilities:
        return np.asarray(loaded.predict_proba(texts)[:, 1], np.float64)

    return score


def _load_fasttext(model: pathlib.Path) -> Scorer:
    import fasttext

    from benchmarks.peers import fasttext_bigrams

    loaded = fasttext.load_model(str(model / fasttext_bigrams.MODEL_FILE))
    return lambda texts: fasttext_bigrams.positive_probabilities(loaded, texts)


def _load_tfx_example(model: pathlib.Path) -> Scorer:
    from benchmarks.peers.tfx_example_scorer import load_scorer

    return load_scorer(model)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _score_forked(texts: list[str]) -> Probabilities:
    assert _scorer is not None
    return _scorer(texts)


def measure(kind: str, scorer: Scorer, texts: list[str], passes: int) -> dict[str, Any]:
    """Measure rates and latency.

    Args:
        kind: Format of the model.
        scorer: The loaded model.
        texts: Texts to score.
        passes: Number of passes over all texts; the best one counts.

    Returns:
        `rates` in texts per second, by number of threads or processes; `latency_ms`,
        the median for a single text; and the `probabilities`.
    """
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    count = cores()
    probabilities = np.concatenate([scorer(batch) for batch in batches])  # also the warm-up
    rates = {'1 thread': _best_rate(lambda: [scorer(batch) for batch in batches], texts, passes)}
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        rates[f'{count} threads'] = _best_rate(
            lambda: list(threads.map(scorer, batches)), texts, passes
        )
    if kind in ('sklearn', 'fasttext'):
        # These handle text in Python, which threads do not speed up.
        global _scorer  # noqa: PLW0603
        _scorer = scorer
        with multiprocessing.get_context('fork').Pool(count) as processes:
            processes.map(_score_forked, batches[:count], chunksize=1)
            rates[f'{count} processes'] = _best_rate(
                lambda: processes.map(_score_forked, batches, chunksize=1), texts, passes
            )
    return {
        'rates': rates,
        'latency_ms': _latency_ms(scorer, texts[:LATENCY_CALLS]),
        'probabilities': probabilities,
    }


def _best_rate(work: Callable[[], Any], texts: list[str], passes: int) -> float:
    best = float('inf')
    for _ in range(passes):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return len(texts) / best


def _latency_ms(scorer: Scorer, texts: list[str]) -> float:
    scorer(texts[:1])
    seconds = []
    for text in texts:
        start = time.perf_counter()
        scorer([text])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1_000


def main() -> None:
    """Score the test reviews, and print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument('kind')
    parser.add_argument('model', type=pathlib.Path)
    parser.add_argument('archive')
    parser.add_argument('--passes', type=int, default=3)
    options = parser.parse_args()
    test = shuffled(read_splits(options.archive)['test'], seed=0)
    start = time.perf_counter()
    scorer = load(options.kind, options.model)
    load_seconds = time.perf_counter() - start
    result = measure(options.kind, scorer, test.texts, options.passes)
    quality = metrics.quality(test.labels, result.pop('probabilities'))
    print(json.dumps({**result, 'load_seconds': load_seconds, 'metrics': quality}), flush=True)


if __name__ == '__main__':
    main()
