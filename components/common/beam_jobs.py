"""Runs the Beam pipeline of a node on any runner."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import apache_beam as beam
import grpc

from components.common.errors import ComponentError, ReviewsError, ServiceError
from components.common.running_job import job_left
from components.common.service_job import ServiceJob

_NO_CODE = re.compile(r'ModuleNotFoundError|No module named')
_NOT_THERE = re.compile(r'FileNotFoundError|\bNotFoundError\b|No such file')


@contextlib.contextmanager
def run_beam_pipeline(pipeline: beam.Pipeline, node: str) -> Iterator[beam.Pipeline]:
    """Run a pipeline at the end of the block, and wait until it is done.

    If the wait is interrupted, for instance by Ctrl-C, a job on a service is ended.

    Args:
        pipeline: A pipeline without transforms.
        node: Id of the node, for messages and for the name of the job.

    Yields:
        The same pipeline.

    Raises:
        ComponentError: If a service reports that the job failed. The message has the
            last line of the service's error.
        ServiceError: If the service cannot be reached, or the connection was lost.

    Example:
        >>> with run_beam_pipeline(beam.Pipeline(), 'ExampleGen') as pipeline:  # doctest: +SKIP
        ...     _ = pipeline | beam.Create(['a text']) | beam.Map(print)
    """
    job = ServiceJob.of(pipeline, node)
    try:
        with pipeline:
            yield pipeline
            if job is not None:
                job.submitting()
        if job is not None:
            job.done()
    except BaseException as err:
        # A runner in this process has no result before the job is done.
        result = getattr(pipeline, 'result', None)
        if job is not None:
            job.call_off(result)
        elif result is not None:  # a service that Beam's runner talks to, such as Dataflow
            with contextlib.suppress(Exception):
                result.cancel()
        if isinstance(err, (grpc.RpcError, grpc.FutureTimeoutError)):
            raise _connection_error(err, node, started=result is not None) from err
        if result is not None and isinstance(err, Exception):
            raise _job_error(err, node) from err
        raise


def _connection_error(err: Exception, node: str, *, started: bool) -> ReviewsError:
    # grpc's class for errors in a response has details, but does not declare them.
    details = err.details() if isinstance(err, grpc.Call) else str(err) or 'it did not answer'
    if not started:
        return ServiceError(
            f'{node}: the Beam job service cannot be reached: {details}',
            hint='start the service, or correct its address in beam.args',
            may_pass=True,
        )
    resume = 'to resume from the cached nodes, run the same command again'
    return ServiceError(
        f'{node}: the connection to the Beam job service was lost: {details}',
        hint='; '.join(filter(None, [job_left(), resume])),
        may_pass=True,
    )


def _job_error(err: Exception, node: str) -> ReviewsError:
    """Return an error with the last line of the last traceback, of the many that Beam joins."""
    lines = [line.strip() for line in str(err).splitlines()]
    last = next((line for line in reversed(lines) if line not in ('', '>', 'None')), '')
    last = last.removeprefix('RuntimeError: ')  # Beam's prefix for an error on a worker
    hint = 'see the log; to resume from the cached nodes, run the same command again'
    if _NO_CODE.search(last):
        hint = (
            "the workers need this project's code and its packages: install them in the workers' "
            'image or environment, or pass --set \'beam.args=["--setup_file=setup.py"]\''
        )
    elif _NOT_THERE.search(last):
        hint = 'the workers must find the data and the artifacts at the same paths as this run'
    return ComponentError(f'{node}: the Beam job failed: {last}', hint=hint)
