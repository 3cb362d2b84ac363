"""The job of a run on Vertex AI, with the fields that options of the command line set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from components.common.errors import ConfigError
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Value

FailurePolicy = Literal['fast', 'slow']

_FAILURE_POLICIES: dict[FailurePolicy, str] = {
    'fast': 'PIPELINE_FAILURE_POLICY_FAIL_FAST',
    'slow': 'PIPELINE_FAILURE_POLICY_FAIL_SLOW',
}


def job_fields(
    *,
    service_account: str | None,
    network: str | None,
    reserved_ip_range: Sequence[str],
    label: Sequence[str],
    encryption_key: str | None,
    failure_policy: FailurePolicy | None,
) -> dict[str, Any]:
    """Return the fields of a job that the arguments of `VertexService` set.

    They are those that PipelineJob of google-cloud-aiplatform sends (pipeline_jobs.py).

    Raises:
        ConfigError: If a label is not `NAME=VALUE` or is repeated.
    """
    return {
        'serviceAccount': service_account,
        'network': network,
        'reservedIpRanges': list(reserved_ip_range),
        'labels': _labels_of(label),
        'encryptionSpec': {'kmsKeyName': encryption_key} if encryption_key else None,
        'runtimeConfig': (
            {'failurePolicy': _FAILURE_POLICIES[failure_policy]} if failure_policy else {}
        ),
    }


def job_of(
    compiled: CompiledPipeline, values: Mapping[str, Value], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the job of a compiled pipeline with run-time parameters and the fields."""
    job = compiled.job()
    return {
        **job,
        **fields,
        'labels': {**job['labels'], **fields['labels']},
        'runtimeConfig': {
            **job['runtimeConfig'],
            **fields['runtimeConfig'],
            'parameterValues': dict(values),
        },
    }


def _labels_of(assignments: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition('=')
        if not name or not equals:
            raise ConfigError(
                f'expected --label NAME=VALUE, got {assignment!r}', hint='for example team=films'
            )
        if name in labels:
            raise ConfigError(
                f'--label {name}: expected once, got it twice', hint='remove one of the two'
            )
        labels[name] = value
    return labels
