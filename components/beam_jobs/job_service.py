"""Asks a Beam job service what Beam's own client does not ask it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

_REQUEST_SECONDS = 5.0
_OPTION_URN = ('beam:option:', ':v1')


class ServedJob(NamedTuple):
    """A job, as its service describes it.

    Attributes:
        state: Its state, such as `RUNNING`.
        options: Its pipeline options, including those that the service has set.
    """

    state: str
    options: dict[str, Any]


class JobService:
    """A Beam job service, by its address.

    Args:
        endpoint: `HOST:PORT`, as in the Beam option `--job_endpoint`.

    Example:
        JobService('jobs.example.com:8099').find_job('reviews-1-transform-0a').state
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def find_job(self, name: str) -> ServedJob | None:
        """Return the job of this name; None if there is none, or the service does not answer."""
        with self._stub() as stub, contextlib.suppress(grpc.RpcError):
            request = beam_job_api_pb2.GetJobsRequest()
            for job in stub.GetJobs(request, timeout=_REQUEST_SECONDS).job_info:
                if job.job_name == name:
                    state = beam_job_api_pb2.JobState.Enum.Name(job.state)
                    options = job.pipeline_options.fields.items()
                    return ServedJob(state, {_name(urn): _value(value) for urn, value in options})
        return None

    def describe_options(self) -> dict[str, str] | None:
        """Return the type of each pipeline option, such as `INTEGER`, by its name.

        None if the service does not answer.
        """
        with self._stub() as stub, contextlib.suppress(grpc.RpcError):
            request = beam_job_api_pb2.DescribePipelineOptionsRequest()
            found = stub.DescribePipelineOptions(request, timeout=_REQUEST_SECONDS).options
            kind_of = beam_job_api_pb2.PipelineOptionType.Enum.Name
            return {option.name: kind_of(option.type) for option in found}
        return None

    @contextlib.contextmanager
    def _stub(self) -> Iterator[Any]:
        with grpc.insecure_channel(self._endpoint) as channel:
            yield beam_job_api_pb2_grpc.JobServiceStub(channel)


def _name(urn: str) -> str:
    before, after = _OPTION_URN
    return urn.removeprefix(before).removesuffix(after)


def _value(value: Any) -> Any:
    kind = value.WhichOneof('kind')
    return None if kind in (None, 'null_value') else getattr(value, kind)
