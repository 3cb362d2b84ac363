"""The process of one worker: TensorFlow knows its cluster before it does anything else.

`supervision.py` starts it. The chief is given the job as JSON in the first line of
standard input, and tells the others, which are given an empty object. It ends when
standard input does, since nobody is there then who would read what it finds. Each
line of standard output is JSON: `{"alive": true}`, `{"progress": LINE}`, once
`{"timeout_seconds": N}`, how long it may be silent from now on, at last `{"done": …}` or
`{"error": …}`. All that TensorFlow prints goes to standard error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from typing import Any, TextIO

import numpy as np
import tensorflow as tf

from components.common.errors import ReviewsError
from components.common.progress import PROGRESS_LOGGER
from components.trainer.distribution.cluster import Cluster, answers, read_cluster
from components.trainer.distribution.job import WEIGHTS_FILE, Fitted, Job
from components.trainer.distribution.loop import Team
from components.trainer.distribution.training import train

# How long the chief lets the others take what it has sent them last.
_GOODBYE_SECONDS = 10
_ALIVE_SECONDS = 1.0


class _Voice:
    """Speaks to the process that started this one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = 0.0

    def say(self, **what: Any) -> None:
        self._stream.write(json.dumps(what) + '\n')
        self._stream.flush()

    def alive(self) -> None:
        if time.monotonic() - self._last > _ALIVE_SECONDS:
            self._last = time.monotonic()
            self.say(alive=True)


class _ToVoice(logging.Handler):
    def __init__(self, voice: _Voice) -> None:
        super().__init__()
        self._voice = voice

    def emit(self, record: logging.LogRecord) -> None:
        self._voice.say(progress=record.getMessage())


def main() -> None:
    """Train as one of several workers, and end."""
    # What libraries print must not be taken for an answer.
    voice = _Voice(os.fdopen(os.dup(1), 'w', encoding='utf-8'))
    os.dup2(2, 1)
    line = sys.stdin.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    progress = logging.getLogger(PROGRESS_LOGGER)
    progress.setLevel(logging.INFO)
    progress.addHandler(_ToVoice(voice))
    code = 1
    try:
        _train(json.loads(line), voice)
        code = 0
    except ReviewsError as err:
        voice.say(error=str(err), hint=err.hint, exit_code=err.exit_code)
    except Exception as err:
        traceback.print_exc()
        voice.say(error=f'{type(err).__name__}: {str(err).splitlines()[0] if str(err) else ""}')
    # TensorFlow would wait for the others, or take their end for a failure.
    sys.stderr.flush()
    os._exit(code)


def _train(request: dict[str, Any], voice: _Voice) -> None:
    cluster = read_cluster(os.environ)
    voice.say(alive=True)  # from here on, it waits for the others
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    voice.say(alive=True)
    team = Team(strategy, len(cluster.addresses), cluster.index)
    job = Job.from_json(_tell(team, request.get('job', '')))
    voice.say(timeout_seconds=job.trainer.worker_timeout_seconds)
    found = train(job, team, voice.alive)
    if cluster.is_chief:
        _write(found, request['folder'])
        _await_end_of(cluster)
    voice.say(done={'history': found.history, 'counts': found.counts})


def _tell(team: Team, text: str) -> str:
    """Return what the chief has to say; all others have nothing."""
    said = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    length = int(team.total(np.array([len(said)], np.int64))[0])
    letters = np.zeros(length, np.int64)
    letters[: len(said)] = said
    return team.total(letters).astype(np.uint8).tobytes().decode()


def _write(found: Fitted, folder: str) -> None:
    np.savez(os.path.join(folder, WEIGHTS_FILE), *found.weights)


def _await_end_of(cluster: Cluster) -> None:
    end = time.monotonic() + _GOODBYE_SECONDS
    while any(answers(a, 0.2) for a in cluster.others) and time.monotonic() < end:
        time.sleep(0.05)


def _end_with_stdin() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)


if __name__ == '__main__':
    main()
