"""Starting runs, on a fake of Kubeflow Pipelines over HTTP."""

from __future__ import annotations

import pytest

from components.common.errors import ConfigError
from pipeline.cloud.clients import scheduling
from pipeline.cloud.clients.kubeflow import KubeflowService
from pipeline.cloud.clients.service import Schedule
from pipeline.cloud.clients.submission import submit_pipeline
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from tests.pipeline.cloud.clients.conftest import VALUES
from tests.pipeline.cloud.clients.fake_kubeflow import FakeKubeflow
from tests.played import Server

NIGHTLY = Schedule(name='nightly', cron='0 3 * * *')


def test_only_the_address_is_printed_when_the_run_is_not_followed(
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    fake_kubeflow: FakeKubeflow,
    kubeflow_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit_pipeline(kubeflow_pipeline, kubeflow, ('train-epochs=5',), poll_seconds=1)
    assert capsys.readouterr() == (f'{kubeflow_server.url}/#/runs/details/run-1\n', '')
    assert fake_kubeflow.runs['run-1']['runtime_config']['parameters'] == VALUES


def test_run_is_followed_when_there_is_a_time_to_wait(
    kubeflow: KubeflowService,
    kubeflow_pipeline: CompiledPipeline,
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit_pipeline(kubeflow_pipeline, kubeflow, (), poll_seconds=0.01, wait_seconds=20)
    assert capsys.readouterr().err.endswith(' blessed and pushed\n')


@pytest.mark.parametrize(
    ('assignment', 'message'),
    [
        ('train-epochs=many', "train-epochs.*, got 'many'"),
        ('epochs=3', "no run-time parameter 'epochs'"),
        ('train-epochs', "expected --param NAME=VALUE, got 'train-epochs'"),
    ],
)
def test_nothing_is_sent_when_a_parameter_is_wrong(
    assignment: str,
    message: str,
    kubeflow: KubeflowService,
    kubeflow_server: Server,
    kubeflow_pipeline: CompiledPipeline,
) -> None:
    with pytest.raises(ConfigError, match=message):
        submit_pipeline(kubeflow_pipeline, kubeflow, (assignment,), poll_seconds=1)
    with pytest.raises(ConfigError, match=message):
        scheduling.schedule_pipeline(kubeflow_pipeline, kubeflow, (assignment,), NIGHTLY)
    assert kubeflow_server.requests == []
