"""Scores with a pushed model from many threads, in a process whose memory is measured."""

from __future__ import annotations

import collections
import csv
import json
import pathlib
import random
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import REPO, SAMPLE, run_command
from tests.torture.conftest import Tally

_SECONDS = 60
_THREADS = 8
_TEXTS_PER_CALL = (1, 2, 8, 32)
# Memory is measured after the first quarter, in which allocators fill their pools.
_WARM_UP_SHARE = 0.25
_SAMPLES = 20
# For 1,000,000 texts and more, so that a leak in each call would show.
_MAX_GROWTH_BYTES = 32 << 20


@pytest.mark.parametrize('preset', ['ngram', 'accurate'])
def test_scores_and_memory_are_stable_when_eight_threads_call_the_model(
    preset: str, tmp_path: pathlib.Path, tally: Tally
) -> None:
    pushed = run_command('run', '--data', str(SAMPLE), '--preset', preset, '--json', cwd=tmp_path)
    assert pushed.code == 0, pushed.err
    model = pushed.json['pushed']['path']
    done = subprocess.run(
        [sys.executable, '-m', 'tests.torture.test_load', model, str(_SECONDS)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS + 120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    tally(
        fault=f'load: calls of the pushed model ({preset}) from {_THREADS} threads '
        f'for {_SECONDS} s',
        runs=found['calls'],
        faults=0,
        losses=found['changed'] + len(found['errors']),
    )
    assert not found['errors']
    assert not found['changed']
    assert found['texts'] > 10_000
    memory = found['resident_bytes']
    growth = statistics.median(memory[-5:]) - statistics.median(memory[:5])
    assert growth < _MAX_GROWTH_BYTES, [size >> 20 for size in memory]


def call_model(model_dir: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Call a model from all threads; return counts, changed scores, errors and memory."""
    import tensorflow as tf

    from components.common import features
    from pipeline.predict.model import PushedModel

    with open(SAMPLE / 'reviews.csv', encoding='utf-8', newline='') as file:
        texts = [row['text'] for row in csv.DictReader(file)][:2_000]
    # Some are as long as reviews.
    texts += [' '.join(texts[start : start + 60]) for start in range(0, 600, 60)]
    model = PushedModel(model_dir)
    examples = tf.saved_model.load(str(model_dir)).signatures[features.EXAMPLES_SIGNATURE]
    expected = [score.probability for score in model.score(texts)]
    stop = threading.Event()
    counts: collections.Counter[str] = collections.Counter()
    errors: list[str] = []

    def score_texts(batch: list[str]) -> list[float]:
        return [float(score.probability) for score in model.score(batch)]

    def score_examples(batch: list[str]) -> list[float]:
        rows = []
        for text in batch:
            example = tf.train.Example()
            example.features.feature[features.TEXT_KEY].bytes_list.value.append(text.encode())
            rows.append(example.SerializeToString())
        outputs = examples(**{features.EXAMPLES_INPUT: tf.constant(rows, tf.string)})
        found: list[float] = outputs[features.PROBABILITY_KEY].numpy().tolist()
        return found

    def work(seed: int) -> collections.Counter[str]:
        choose, score = random.Random(seed), score_texts if seed % 2 else score_examples
        counts: collections.Counter[str] = collections.Counter()
        while not stop.is_set():
            rows = choose.choices(range(len(texts)), k=choose.choice(_TEXTS_PER_CALL))
            try:
                found = score([texts[row] for row in rows])
            except Exception as err:
                errors.append(repr(err))
                continue
            # Batches of different sizes add up in another order; such a difference is no change.
            changed = sum(abs(p - float(expected[row])) > 1e-6 for p, row in zip(found, rows))
            counts.update(calls=1, texts=len(rows), changed=changed)
        return counts

    memory: list[int] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        threads = [pool.submit(work, seed) for seed in range(_THREADS)]
        time.sleep(seconds * _WARM_UP_SHARE)
        for _ in range(_SAMPLES):
            memory.append(_resident_bytes())
            time.sleep(seconds * (1 - _WARM_UP_SHARE) / _SAMPLES)
        stop.set()
    for thread in threads:
        counts.update(thread.result())
    return {**counts, 'errors': errors[:5], 'resident_bytes': memory}


def _resident_bytes() -> int:
    status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8').split()
    return int(status[status.index('VmRSS:') + 1]) * 1024


if __name__ == '__main__':
    print(json.dumps(call_model(pathlib.Path(sys.argv[1]), float(sys.argv[2]))))
