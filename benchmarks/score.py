"""Loads a saved model, scores the test reviews, and prints metrics and rates.

Usage: python -m benchmarks.score KIND MODEL_DIR ARCHIVE
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
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

from benchmarks.reviews import read_splits, shuffled

BATCH = 1_000
LATENCY_CALLS = 200
# These process text in Python, which threads do not speed up.
_PYTHON_PEERS = ('sklearn_models', 'fasttext_bigrams')

Probabilities = npt.NDArray[np.float64]
Scorer = Callable[[list[str]], Probabilities]

# The scorer of a forked process.
_scorer: Scorer | None = None


def load(kind: str, model: pathlib.Path) -> Scorer:
    """Return a function from texts to the probability of `pos`.

    Args:
        kind: `pipeline`, or the module of a peer.
        model: Folder of the model.
    """
    if kind == 'pipeline':
        return _load_pushed_model(model)
    predict = importlib.import_module(f'benchmarks.peers.{kind}').load(model)
    return lambda texts: np.asarray(predict(texts), np.float64).reshape(-1)


def _load_pushed_model(model: pathlib.Path) -> Scorer:
    import tensorflow as tf

    from components.common import features

    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures[features.TEXT_SIGNATURE]

    def score(texts: list[str], _keep: Any = loaded) -> Probabilities:
        outputs = signature(**{features.TEXT_INPUT: tf.constant(texts)})
        return np.asarray(outputs[features.PROBABILITY_KEY].numpy(), np.float64).reshape(-1)

    return score


def _score_forked(texts: list[str]) -> Probabilities:
    assert _scorer is not None
    return _scorer(texts)


def measure(kind: str, scorer: Scorer, texts: list[str], passes: int) -> dict[str, Any]:
    """Measure rates and latency.

    Args:
        kind: See `load`.
        scorer: The loaded model.
        texts: Texts to score.
        passes: Number of passes over all texts for each rate; the best one counts. With 0,
            no rate is measured.

    Returns:
        `rates` in texts per second, by number of threads or processes; `latency_ms`,
        the median for a single text; and the `probabilities`.
    """
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    probabilities = np.concatenate([scorer(batch) for batch in batches])  # also the warm-up
    return {
        'rates': _rates(kind, scorer, batches, passes) if passes else {},
        'latency_ms': _latency_ms(scorer, texts[:LATENCY_CALLS]),
        'probabilities': probabilities,
    }


def _rates(kind: str, scorer: Scorer, batches: list[list[str]], passes: int) -> dict[str, float]:
    count = os.cpu_count() or 1
    texts = sum(map(len, batches))
    rates = {'1 thread': _best_rate(lambda: [scorer(batch) for batch in batches], texts, passes)}
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        rates[f'{count} threads'] = _best_rate(
            lambda: list(threads.map(scorer, batches)), texts, passes
        )
    if kind in _PYTHON_PEERS:
        global _scorer  # noqa: PLW0603
        _scorer = scorer
        with multiprocessing.get_context('fork').Pool(count) as processes:
            processes.map(_score_forked, batches[:count], chunksize=1)
            rates[f'{count} processes'] = _best_rate(
                lambda: processes.map(_score_forked, batches, chunksize=1), texts, passes
            )
    return rates


def _best_rate(work: Callable[[], Any], texts: int, passes: int) -> float:
    best = float('inf')
    for _ in range(passes):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return texts / best


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
    # Imported now, because it imports scikit-learn.
    from benchmarks import metrics

    quality = metrics.quality(test.labels, result.pop('probabilities'))
    print(json.dumps({**result, 'load_seconds': load_seconds, 'metrics': quality}), flush=True)


if __name__ == '__main__':
    main()
