"""Tries a SavedModel in a process that knows nothing but TensorFlow, before it is served."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from components.common import features
from components.common.errors import ComponentError
from components.smoke_test import process
from components.smoke_test.texts import ODD_TEXTS

TIMEOUT_SECONDS = 300
# What TensorFlow takes before it has loaded anything, on a machine of many cores, and more.
_MEMORY_BYTES = 8 << 30
# It ends itself a little later than it is ended, in case nobody is left to do that.
_GRACE_SECONDS = 5

# What the README documents. An output is its dtype and its shape.
_ONE_PER_TEXT = ('float32', [None])
_NAMES: dict[str, Any] = {
    'text_feature': features.TEXT_KEY,
    'examples': {
        'name': features.EXAMPLES_SIGNATURE,
        'input': features.EXAMPLES_INPUT,
        'outputs': {features.PROBABILITY_KEY: _ONE_PER_TEXT},
    },
    'text': {
        'name': features.TEXT_SIGNATURE,
        'input': features.TEXT_INPUT,
        'outputs': {features.PROBABILITY_KEY: _ONE_PER_TEXT},
    },
    'explain': {
        'name': features.EXPLAIN_SIGNATURE,
        'input': features.TEXT_INPUT,
        'outputs': {
            features.NGRAMS_KEY: ('string', [None]),
            features.CONTRIBUTIONS_KEY: ('float32', [None]),
            features.ROWS_KEY: ('int64', [None]),
            features.BIAS_KEY: ('float32', [None]),
        },
        'roles': {
            'ngrams': features.NGRAMS_KEY,
            'contributions': features.CONTRIBUTIONS_KEY,
            'rows': features.ROWS_KEY,
            'bias': features.BIAS_KEY,
        },
    },
}


class KnownScore(NamedTuple):
    """A text and the probability that the Evaluator measured for it."""

    text: str
    probability: float


class SmokeTestError(ComponentError):
    """A model cannot be served as it is."""


def request(
    model_dir: str,
    *,
    texts: Sequence[str] = (),
    known: Sequence[KnownScore] = (),
    must_explain: bool = True,
) -> dict[str, Any]:
    """Return what the process is asked to check, as JSON values; see `smoke_test`."""
    return {
        'model': model_dir,
        'names': _NAMES,
        'labels_file': f'assets.extra/{features.LABELS_ASSET}',
        'texts': [*ODD_TEXTS, *texts],
        'known': list(known),
        'must_explain': must_explain,
    }


def smoke_test(
    model_dir: str,
    *,
    texts: Sequence[str] = (),
    known: Sequence[KnownScore] = (),
    must_explain: bool = True,
    timeout_seconds: int = TIMEOUT_SECONDS,
    memory_bytes: int = _MEMORY_BYTES,
) -> None:
    """Load a SavedModel in a fresh process, and check that it can be served.

    It must have the documented signatures, and score odd texts and the given
    ones with a finite number in [0, 1]: the same by both signatures, alone and
    in a batch, and the same as known; what explains a score must add up to it.

    Args:
        model_dir: The SavedModel, on any storage that TensorFlow can read.
        texts: Texts to score beside `ODD_TEXTS`.
        known: Texts with what is to come out.
        must_explain: Whether it is an error if the model cannot explain scores,
            as those could not that an older version of the pipeline pushed.
        timeout_seconds: How long all may take; then the process is killed.
        memory_bytes: How much memory the process may use for data.

    Raises:
        SmokeTestError: If a check does not hold; it says which.
    """
    asked = request(model_dir, texts=texts, known=known, must_explain=must_explain)
    limits = {
        'timeout_seconds': math.ceil(timeout_seconds) + _GRACE_SECONDS,
        'memory_bytes': memory_bytes,
    }
    try:
        done = subprocess.run(
            # -I: neither the current folder, nor the environment, nor a user's own packages.
            [sys.executable, '-I', process.__file__],
            input=json.dumps({**asked, **limits}).encode(),
            stdout=subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
            # A model server need not have the accelerator that a step was given.
            env={**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'},
        )
    except subprocess.TimeoutExpired as err:
        raise _failed(
            'it answers in time', f'all scores within {timeout_seconds} s', 'none: it was stopped'
        ) from err
    try:
        answer = json.loads(done.stdout)
    except ValueError as err:
        raise _failed('it runs', 'an answer', _end_of(done.returncode)) from err
    if not answer.get('passed'):
        raise _failed(answer['check'], answer['expected'], answer['got'])


def _failed(check: str, expected: str, got: str) -> SmokeTestError:
    return SmokeTestError(
        f'the smoke test of the model failed: {check}: expected {expected}, got {got}',
        hint='it was not pushed, and what is served stays as it was; the log has the details',
    )


def _end_of(code: int) -> str:
    if code >= 0:
        return f'none: the process ended with {code}'
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f'signal {-code}'
    return f'none: the process was ended by {name}'
