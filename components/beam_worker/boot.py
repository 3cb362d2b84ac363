"""A Beam worker: asks the runner for its settings, and runs Beam's worker in this process."""

from __future__ import annotations

import os
import sys

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format


def run_worker(worker_id: str, provision_endpoint: str) -> None:
    """Run a worker until the runner closes the connection.

    It does what Beam's program for its images does (sdks/python/container/boot.go), but installs
    no packages: this project and its packages must be installed.

    Args:
        worker_id: Name that the runner gave the worker.
        provision_endpoint: HOST:PORT of the runner's provision service.
    """
    # Beam's pool gives its workers a pipe that it does not read: a full one would stop the worker.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.environ.update(worker_environment(worker_id, _provision_info(worker_id, provision_endpoint)))
    sdk_worker_main.main([])


def worker_environment(
    worker_id: str, info: beam_provision_api_pb2.ProvisionInfo
) -> dict[str, str]:
    """Return the variables from which Beam's worker reads its settings.

    SEMI_PERSISTENT_DIRECTORY is missing: Beam's worker would load a file from that folder, which
    is /tmp by default, where any user of the machine can write.

    Args:
        worker_id: Name that the runner gave the worker.
        info: What the provision service of the runner returned.
    """
    return {
        'WORKER_ID': worker_id,
        'PIPELINE_OPTIONS': json_format.MessageToJson(info.pipeline_options),
        'LOGGING_API_SERVICE_DESCRIPTOR': text_format.MessageToString(info.logging_endpoint),
        'CONTROL_API_SERVICE_DESCRIPTOR': text_format.MessageToString(info.control_endpoint),
        'RUNNER_CAPABILITIES': ' '.join(info.runner_capabilities),
    }


def _provision_info(worker_id: str, endpoint: str) -> beam_provision_api_pb2.ProvisionInfo:
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        answer = service.GetProvisionInfo(
            request, metadata=(('worker_id', worker_id),), timeout=60, wait_for_ready=True
        )
    return answer.info
