"""Tests a SavedModel in a process that has nothing but TensorFlow, before it is served."""

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
from components.smoke_test.odd_texts import ODD_TEXTS

TIMEOUT_SECONDS = 300
# More than TensorFlow takes before it has loaded anything, on a machine of many cores.
_MEMORY_BYTES = 8 << 30
# The process ends itself a little later than it is killed, in case its parent has died.
_GRACE_SECONDS = 5


class KnownScore(NamedTuple):
    """A text and the probability that the Evaluator measured for it.

    Attributes:
        text: The text.
        probability: The probability.
        example: The serialized example, in base64; empty if the model needs the text alone.
    """

    text: str
    probability: float
    example: str = ''


class SmokeTestError(ComponentError):
    """A model cannot be served."""


def make_request(
    model_dir: str,
    *,
    texts: Sequence[str] = (),
    known: Sequence[KnownScore] = (),
    must_explain: bool = True,
) -> dict[str, Any]:
    """Return the request to the process, as JSON values; see `smoke_test`."""
    return {
        'model': model_dir,
        'names': {
            name: value
            for name, value in vars(features).items()
            if name.isupper() and isinstance(value, str)
        },
        'labels_file': f'assets.extra/{features.LABELS_ASSET}',
        'settings_file': f'assets.extra/{features.SETTINGS_ASSET}',
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

    It must have the documented signatures (of a user's model, `serving_default` at
    least, which may have further outputs), and score odd texts and the given
    ones with a finite number in [0, 1]: the same by both signatures, alone and
    in a batch, and as known. Explanations must add up to the scores.

    >>> smoke_test('serving/1764000000', texts=['A fine film.'])  # doctest: +SKIP

    Args:
        model_dir: The SavedModel, on any storage that TensorFlow can read.
        texts: Texts to score in addition to `ODD_TEXTS`.
        known: Texts with the expected scores.
        must_explain: Whether a model of this project must explain scores, and the loader of a
            model server must load any model; models that an older version of the pipeline
            pushed may not. A user's model need not explain scores.
        timeout_seconds: The process is killed after that.
        memory_bytes: Memory that the process may use for data.

    Raises:
        SmokeTestError: If a check fails; the message names it.
    """
    request = make_request(model_dir, texts=texts, known=known, must_explain=must_explain)
    limits = {
        'timeout_seconds': math.ceil(timeout_seconds) + _GRACE_SECONDS,
        'memory_bytes': memory_bytes,
    }
    try:
        done = subprocess.run(
            # -I ignores the current folder, the environment and the user's own packages.
            [sys.executable, '-I', process.__file__],
            input=json.dumps({**request, **limits}).encode(),
            stdout=subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
            # A model server may lack the accelerator of this node.
            env={**os.environ, 'CUDA_VISIBLE_DEVICES': '-1'},
        )
    except subprocess.TimeoutExpired as err:
        raise _make_error(
            'it answers in time', f'all scores within {timeout_seconds} s', 'none: it was stopped'
        ) from err
    try:
        result = json.loads(done.stdout)
    except ValueError as err:
        raise _make_error('it runs', 'an answer', _describe_exit(done.returncode)) from err
    if not result.get('passed'):
        raise _make_error(result['check'], result['expected'], result['got'])


def _make_error(check: str, expected: str, got: str) -> SmokeTestError:
    return SmokeTestError(
        f'the smoke test of the model failed: {check}: expected {expected}, got {got}',
        hint='the model was not pushed, and the live version is unchanged; see the log',
    )


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f'none: the process ended with exit code {code}'
    names = {number.value: number.name for number in signal.Signals}
    return f'none: the process was ended by {names.get(-code, f"signal {-code}")}'
