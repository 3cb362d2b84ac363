"""Whether what is served can be loaded, and scores."""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

from components.common import features
from pipeline.doctor.finding import Finding, Say, ok, problem, warning
from pipeline.models import versions

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
_SECONDS = 120
# What TensorFlow says of the operation that failed.
_DETAILS = re.compile(r'\{\{.*?\}\} ?| ?\[Op:\w+\]')
_TEXTS = ('A wonderful film, I loved it.', 'Dull, and two hours too long.', '')


def check(serving_dir: pathlib.Path, say: Say) -> Iterator[Finding]:
    """Look at a folder of versions; nothing in it is changed.

    Args:
        serving_dir: The folder.
        say: Is told what takes long.

    Yields:
        Findings.
    """
    if not serving_dir.is_dir():
        yield ok('versions', f'none yet at {serving_dir}')
        return
    found = versions.versions(serving_dir)
    whole = set(found)
    for path in sorted(serving_dir.iterdir()):
        if path.name.isdecimal() and path not in whole:
            told = f'{path} has no saved_model.pb: no server takes it for a version'
            yield warning('version', told, f'rm -r {shlex.quote(str(path))}')
        elif path.name.startswith('.') and path.name.endswith('.part'):
            told = f'{path} is a push that was killed, unless one goes on now'
            yield warning('leftover', told, f'rm -r {shlex.quote(str(path))}')
    if not found:
        yield ok('versions', f'none yet at {serving_dir}')
        return
    live = found[-1]
    yield ok('versions', f'{len(found):,} at {serving_dir}; {live.name} is live')
    say(f'verifying {live.name}')
    as_pushed = _as_pushed(live)
    yield as_pushed
    if as_pushed.state != 'problem':
        say(f'loading {live.name}')
        yield _scores(live)


def _as_pushed(live: pathlib.Path) -> Finding:
    """Compare a version with the digest on its card."""
    from components.common.model_versions import digest_of_model

    try:
        card = (live / 'assets.extra' / features.MODEL_CARD).read_text(encoding='utf-8')
    except (OSError, UnicodeError):
        return warning('model card', f'{live} has none: whether it is as pushed is not known')
    try:
        digest = digest_of_model(str(live))
    except OSError as err:
        return _damaged(live, f'{live} cannot be read: {err}')
    if digest in card:
        return ok('files', f'{live.name} is what was pushed: its SHA-256 is that on its card')
    return _damaged(live, f'the files of {live} are not those that its card was written for')


def _damaged(live: pathlib.Path, told: str) -> Finding:
    return problem(
        'live model',
        told,
        f'rm -r {shlex.quote(str(live))}: the version before it is live then, and the next run '
        'pushes the model anew',
    )


def _scores(live: pathlib.Path) -> Finding:
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, '-m', 'pipeline.doctor.score', str(live), *_TEXTS],
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        scores = json.loads(done.stdout) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return _damaged(live, f'{live} does not score within {_SECONDS} s')
    except ValueError:
        scores = None
    if scores is None:
        lines = done.stderr.strip().splitlines()
        why = lines[-1] if lines else f'ended by signal {-done.returncode}'
        return _damaged(live, f'{live} does not score: {_DETAILS.sub("", why)[:200]}')
    if not all(0 <= score <= 1 for score in scores):
        return _damaged(live, f'{live} gives {scores}, which are no probabilities')
    return ok('scores', f'loads and scores in a fresh process, {time.monotonic() - began:.1f} s')
