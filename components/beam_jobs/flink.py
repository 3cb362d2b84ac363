"""Finds and ends jobs on a Flink cluster, through Flink's REST API."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from components.common.errors import ServiceError

# In the cluster's own words (org.apache.flink.api.common.JobStatus).
_ENDED = frozenset({'FINISHED', 'FAILED', 'CANCELED'})
_IS_ENDING = frozenset({'CANCELLING', 'FAILING'})
_REQUEST_SECONDS = 5.0
_POLL_SECONDS = 0.2


class FlinkJob(NamedTuple):
    """A job on a cluster.

    Attributes:
        id: Its id.
        state: Its state, such as `RUNNING`.
    """

    id: str
    state: str

    @property
    def ended(self) -> bool:
        """Whether the job has ended, and no task of it runs."""
        return self.state in _ENDED


class FlinkCluster:
    """A Flink cluster, by the address of its REST API, which also serves its web interface.

    Args:
        address: `HOST:PORT`, or an address with `http://` or `https://`.

    Attributes:
        url: The address, with its scheme.

    Example:
        >>> FlinkCluster('flink.example.com:8081').url
        'http://flink.example.com:8081'
    """

    def __init__(self, address: str) -> None:
        address = address.strip().rstrip('/')
        self.url = address if '://' in address else f'http://{address}'

    def find_job(self, name: str) -> FlinkJob | None:
        """Return the newest job of this name; None if there is none.

        Raises:
            ServiceError: If the cluster cannot be reached.
        """
        jobs = [job for job in self.get('/jobs/overview')['jobs'] if job['name'] == name]
        if not jobs:
            return None
        newest = max(jobs, key=lambda job: job['start-time'])
        return FlinkJob(newest['jid'], newest['state'])

    def end_job(self, name: str, *, seconds: float) -> FlinkJob | None:
        """Cancel a job, and wait until it has ended.

        A job that was submitted a moment ago appears on the cluster some seconds later.

        Args:
            name: Name of the job.
            seconds: How long to wait.

        Returns:
            The job in its last state, which may not be an end; None if it did not appear.

        Raises:
            ServiceError: If the cluster cannot be reached.
        """
        deadline = time.monotonic() + seconds
        while True:
            job = self.find_job(name)
            if job is not None and not job.ended and job.state not in _IS_ENDING:
                self._request(f'/jobs/{job.id}?mode=cancel', method='PATCH')
            if (job is not None and job.ended) or time.monotonic() > deadline:
                return job
            time.sleep(_POLL_SECONDS)

    def get(self, path: str) -> Any:
        """Return the JSON value of a resource, for instance of `/overview`.

        Raises:
            ServiceError: If the cluster cannot be reached, or does not answer with JSON.
        """
        try:
            return json.loads(self._request(path))
        except ValueError as err:
            raise self._unreachable(f'{path} is not JSON') from err

    def _request(self, path: str, *, method: str = 'GET') -> bytes:
        request = urllib.request.Request(f'{self.url}{path}', method=method)
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_SECONDS) as response:
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as err:
            if method == 'PATCH' and err.code in (404, 409):
                return b''  # the job has ended meanwhile
            raise self._unreachable(str(err)) from err
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise self._unreachable(str(getattr(err, 'reason', '') or err)) from err

    def _unreachable(self, problem: str) -> ServiceError:
        return ServiceError(
            f'Flink at {self.url}: {problem}', hint='correct --flink_master in beam.args'
        )
