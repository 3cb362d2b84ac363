"""Asks a Beam job service what Beam's own client does not ask it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

_REQUEST_SECONDS = 5.0
_OPTION_URN = ('beam:option:', ':v1')


class JobService:
    """A Beam job service, by its address.

    Args:
        endpoint: `HOST:PORT`, as in the Beam option `--job_endpoint`.

    Example:
        JobService('jobs.example.com:8099').options_of('reviews-1-transform-0a')
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def options_of(self, job_name: str) -> dict[str, Any] | None:
        """Return the pipeline options of a job, including those that the service has set.

        Empty if the service does not know the job; None if it does not answer.
        """
        with self._stub() as stub, contextlib.suppress(grpc.RpcError):
            request = beam_job_api_pb2.GetJobsRequest()
            for job in stub.GetJobs(request, timeout=_REQUEST_SECONDS).job_info:
                if job.job_name == job_name:
                    before, after = _OPTION_URN
                    return {
                        name.removeprefix(before).removesuffix(after): _value(value)
                        for name, value in job.pipeline_options.fields.items()
                    }
            return {}
        return None

    @contextlib.contextmanager
    def _stub(self) -> Iterator[Any]:
        with grpc.insecure_channel(self._endpoint) as channel:
            yield beam_job_api_pb2_grpc.JobServiceStub(channel)


def _value(value: Any) -> Any:
    kind = value.WhichOneof('kind')
    return None if kind in (None, 'null_value') else getattr(value, kind)
