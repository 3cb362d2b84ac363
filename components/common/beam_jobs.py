"""Runs a node's Beam pipeline, wherever its runner is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import apache_beam as beam
import grpc
from apache_beam.runners.runner import PipelineResult, PipelineState

from components.common.errors import ComponentError, ReviewsError, ServiceError

_NO_CODE = re.compile(r'ModuleNotFoundError|No module named')
_NOT_THERE = re.compile(r'FileNotFoundError|\bNotFoundError\b|No such file')


@contextlib.contextmanager
def finished(pipeline: beam.Pipeline, node: str) -> Iterator[beam.Pipeline]:
    """Run a pipeline at the end of the block, and wait until it is done.

    If the waiting is broken off, by Ctrl-C for instance, a job that still runs is called off.

    Args:
        pipeline: Without transforms as yet.
        node: Whose it is, for messages.

    Yields:
        The same.

    Raises:
        ComponentError: If a service says that the job failed; with the last line
            of what went wrong there.
        ServiceError: If the connection to the service was lost.
    """
    try:
        with pipeline:
            yield pipeline
    except BaseException as err:
        # Where the runner is in this process, there is none before all is done.
        result = getattr(pipeline, 'result', None)
        if result is None:
            raise
        _call_off(result)
        if isinstance(err, grpc.RpcError):
            raise _lost(err, node) from err
        if isinstance(err, Exception):
            raise _explained(err, node) from err
        raise


def _call_off(result: PipelineResult) -> None:
    # The service may be gone, or know no such thing.
    state = PipelineState.UNKNOWN
    with contextlib.suppress(Exception):
        state = result.state
    if not PipelineState.is_terminal(state):
        with contextlib.suppress(Exception):
            result.cancel()


def _lost(err: grpc.RpcError, node: str) -> ReviewsError:
    # What is raised while an answer is read has details, though the class does not say so.
    details = err.details() if isinstance(err, grpc.Call) else err
    return ServiceError(
        f'{node}: the connection to the service that runs the Beam job was lost: {details}',
        hint='the job may still run there: call it off where it does; the same command resumes '
        'from what is cached',
        may_pass=True,
    )


def _explained(err: Exception, node: str) -> ReviewsError:
    """Say in one line what a service says in a page: the last line of the last traceback."""
    lines = [line.strip() for line in str(err).splitlines()]
    last = next((line for line in reversed(lines) if line not in ('', '>', 'None')), '')
    last = last.removeprefix('RuntimeError: ')  # how a worker's error arrives
    hint = 'the log has the details; the same command resumes from what is cached'
    if _NO_CODE.search(last):
        hint = (
            "the workers need this project's code and its packages: have them in their image, or "
            "where they were started; or send the code along, by the runner's setup_file"
        )
    elif _NOT_THERE.search(last):
        hint = 'the workers must see the data and the artifacts under the same paths as this run'
    return ComponentError(f'{node}: the Beam job failed: {last}', hint=hint)
