"""Runs a node's Beam pipeline, wherever its runner is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import apache_beam as beam

from components.errors import ComponentError, ReviewsError

_NOT_THERE = re.compile(r'No such file|NotFoundError|does not exist|not found', re.IGNORECASE)


@contextlib.contextmanager
def finished(pipeline: beam.Pipeline, node: str) -> Iterator[beam.Pipeline]:
    """Run a pipeline at the end of the block, and wait until it is done.

    If the waiting is broken off, by Ctrl-C for instance, the job is called off.

    Args:
        pipeline: Without transforms as yet.
        node: Whose it is, for messages.

    Yields:
        The same.

    Raises:
        ComponentError: If a service says that the job failed; with the last line
            of what went wrong there.
    """
    try:
        with pipeline:
            yield pipeline
    except BaseException as err:
        # Where the runner is in this process, there is none before all is done.
        result = getattr(pipeline, 'result', None)
        if result is None:
            raise
        if isinstance(err, Exception):
            raise _explained(err, node) from err
        # It may be gone, or know no such thing.
        with contextlib.suppress(Exception):
            result.cancel()
        raise


def _explained(err: Exception, node: str) -> ReviewsError:
    """Say in one line what a service says in a page: the last line of the last traceback."""
    lines = [line.strip() for line in str(err).splitlines()]
    last = next((line for line in reversed(lines) if line not in ('', '>', 'None')), '')
    last = last.removeprefix('RuntimeError: ')  # how a worker's error arrives
    hint = 'the log has the details; the same command resumes from what is cached'
    if _NOT_THERE.search(last):
        hint = 'the workers must see the data and the artifacts under the same paths as this run'
    return ComponentError(f'{node}: the Beam job failed: {last}', hint=hint)
