"""Starts runs of a compiled pipeline on a service."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.cloud.clients.following import follow_run
from pipeline.cloud.clients.service import Service
from pipeline.cloud.compiled_pipeline import CompiledPipeline


def submit_pipeline(
    compiled: CompiledPipeline,
    service: Service,
    assignments: Sequence[str],
    *,
    run_name: str | None = None,
    poll_seconds: float,
    wait_seconds: float | None = None,
) -> None:
    """Start a run, print its address, and follow it.

    Args:
        compiled: The pipeline.
        service: The service.
        assignments: Run-time parameters as `NAME=VALUE`.
        run_name: Name for display; None for the default of the service's client.
        poll_seconds: Time between two requests.
        wait_seconds: Longest time to follow the run; None not to follow it.

    Raises:
        ConfigError: If a parameter is wrong.
        ReviewsError: As `follow_run` raises it, if the run is followed.
        ServiceError: If the service refuses.
    """
    run = service.submit(compiled, compiled.parameter_values(assignments), run_name)
    print(run.url, flush=True)
    if wait_seconds is not None:
        follow_run(service, run, poll_seconds=poll_seconds, wait_seconds=wait_seconds)
