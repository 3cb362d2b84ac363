"""Runs the Beam pipeline of a node on any runner."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import apache_beam as beam
import grpc

from components.beam_jobs.running_job import job_left
from components.beam_jobs.service_job import ServiceJob
from components.beam_jobs.watch import JobWatch
from components.common.errors import ComponentError, ReviewsError, ServiceError

# Of Beam, before the error of a job and before the error of a worker.
_PREFIX = re.compile(r'^(Pipeline \S+ failed in state \w+: )?(RuntimeError: )?')
_MORE = 'give the task managers of Flink more memory: '
# Parts of messages of workers and of Flink, and what to do about them.
_HINTS = (
    (
        r'ModuleNotFoundError|No module named',
        "the workers need this project's code and its packages: install them in the workers' image "
        'or environment, or pass --set \'beam.args=["--setup_file=setup.py"]\'',
    ),
    (
        r'FileNotFoundError|\bNotFoundError\b|No such file',
        'the workers must find the data and the artifacts at the same paths as this run',
    ),
    (
        r'exceeds the maximum size of a sort buffer',
        f'{_MORE}taskmanager.memory.managed.size',
    ),
    (r'OutOfMemoryError: Java heap space', f'{_MORE}taskmanager.memory.task.heap.size'),
    (r'OutOfMemoryError: Direct buffer', f'{_MORE}taskmanager.memory.task.off-heap.size'),
    (
        r'Insufficient number of network buffers',
        f'{_MORE}taskmanager.memory.network.min and .max; or pass a smaller --parallelism in '
        'beam.args',
    ),
    (
        r'Connection unexpectedly closed by remote task manager|no longer reachable',
        'a task manager was lost: run the same command again to resume; with restart-strategy.type '
        "in the cluster's configuration, such as fixed-delay, Flink repeats its work",
    ),
    (
        r'JobCancellationException',
        'someone cancelled the job on Flink; to resume, run the same command again',
    ),
)
# The same for what is not there, and may be there later.
_SERVICE_HINTS = (
    (
        r'ConnectException: .*Connection refused',
        'a task manager could not connect to its worker pool: start one beside each task manager, '
        'at the address of --environment_config',
    ),
    (
        r'NoResourceAvailable|TimeoutException: Timeout has occurred: \d+ ms',
        'there were no free task slots: start more task managers, wait for other jobs, or pass a '
        'smaller --parallelism in beam.args',
    ),
)


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
        ServiceError: If the service cannot be reached, the connection was lost, or the job got no
            task slots or no worker in time.

    Example:
        >>> with run_beam_pipeline(beam.Pipeline(), 'ExampleGen') as pipeline:  # doctest: +SKIP
        ...     _ = pipeline | beam.Create(['a text']) | beam.Map(print)
    """
    job = ServiceJob.of(pipeline, node)
    watch = JobWatch(job, node) if job is not None else None
    try:
        with pipeline:
            yield pipeline
            if job is not None and watch is not None:
                job.submitting()
                watch.start()
        if job is not None:
            job.done()
    except BaseException as err:
        # A runner in this process has no result before the job is done.
        result = getattr(pipeline, 'result', None)
        if job is not None and watch is not None:
            watch.stop()
            job.call_off()
            if watch.problem is not None and isinstance(err, Exception):
                raise watch.problem from err
        elif result is not None:  # a service that Beam's runner talks to, such as Dataflow
            with contextlib.suppress(Exception):
                result.cancel()
        if isinstance(err, (grpc.RpcError, grpc.FutureTimeoutError)):
            raise _connection_error(err, node, started=result is not None) from err
        if result is not None and isinstance(err, Exception):
            raise _job_error(err, node) from err
        raise
    finally:
        if watch is not None:
            watch.stop()


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
    last = _PREFIX.sub('', last)
    message = f'{node}: the Beam job failed: {last}'
    for pattern, hint in _SERVICE_HINTS:
        if re.search(pattern, last):
            return ServiceError(message, hint=hint, may_pass=True)
    found = (hint for pattern, hint in _HINTS if re.search(pattern, last))
    default = 'see the log; to resume from the cached nodes, run the same command again'
    return ComponentError(message, hint=next(found, default))
