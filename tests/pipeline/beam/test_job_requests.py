"""The settings arrive in what Flink's and Spark's job servers, and Dataflow, are asked to run."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from components.common.errors import ComponentError
from pipeline.beam.arguments import beam_args
from tests.components.statistics_gen.test_executor import (
    SPLITS,
    execute,
    our_executor,
    read,
    write_examples,
)
from tests.packaged import copy_code
from tests.pipeline.beam.fakes import FakeCluster, google_cloud, job_in, write_jar
from tests.pipeline.beam.services import recording_service
from tests.pipeline.settings.test_beam import DATAFLOW, FLINK, SPARK, config
from tests.played import serving

LOOPBACK = 'environment=LOOPBACK'


@pytest.fixture(scope='module')
def examples(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return write_examples(tmp_path_factory.mktemp('examples'))


def statistics(examples: Any, folder: pathlib.Path, *settings: str) -> Any:
    """Run StatisticsGen with these settings of Beam's."""
    args = list(beam_args(config(*settings).beam))
    return execute(our_executor(examples), examples, folder, beam_args=args)


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (
            ('runner=flink', f'flink.{LOOPBACK}', 'flink.parallelism=3'),
            {'flink_master': '[auto]', 'parallelism': '3'},
        ),
        (
            ('runner=flink', f'flink.{LOOPBACK}', 'flink.master=http://flink:8081'),
            {'flink_master': 'http://flink:8081', 'parallelism': '-1'},
        ),
        (('runner=spark', f'spark.{LOOPBACK}'), {'spark_submit_uber_jar': False}),
    ],
)
def test_a_job_server_gets_the_options_and_runs_the_node_when_it_is_that_of_a_cluster(
    settings: tuple[str, ...], expected: dict[str, Any], examples: Any, tmp_path: pathlib.Path
) -> None:
    runner = settings[0].partition('=')[2]
    with recording_service() as (endpoint, service):
        found = statistics(examples, tmp_path, *settings, f'{runner}.job_endpoint={endpoint}')
    assert len(service.run) == 1
    assert {name: service.options()[name] for name in expected} == expected
    counts = {split: read(found, split).num_examples for split in SPLITS}
    assert counts == {split: sum(map(len, shards)) for split, shards in SPLITS.items()}


def test_the_code_goes_with_the_job_when_a_setup_file_is_named(
    examples: Any, tmp_path: pathlib.Path
) -> None:
    setup_file = copy_code(tmp_path / 'code')
    with recording_service() as (endpoint, service):
        named = (f'flink.job_endpoint={endpoint}', f'flink.setup_file={setup_file}')
        statistics(examples, tmp_path, 'runner=flink', f'flink.{LOOPBACK}', *named)
    (request,) = service.prepared
    staged = {
        beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(found.role_payload).staged_name
        for environment in request.pipeline.components.environments.values()
        for found in environment.dependencies
    }
    assert 'workflow.tar.gz' in staged


def test_flink_gets_one_jar_with_the_job_in_it_when_there_is_no_job_server(
    examples: Any, tmp_path: pathlib.Path
) -> None:
    jar = write_jar(tmp_path / 'server.jar')
    cluster = FakeCluster()
    with serving(cluster) as server:
        named = (f'flink.master={server.url}', f'flink.job_server_jar={jar}')
        with pytest.raises(ComponentError, match='StatisticsGen: the Beam job .* no cluster here'):
            statistics(examples, tmp_path, *FLINK, *named)
    (uploaded,) = cluster.jars
    pipeline, options = job_in(uploaded)
    assert options['environment_type'] == 'EXTERNAL'
    assert options['environment_config'] == 'localhost:50000'
    environments = pipeline['components']['environments'].values()
    assert 'beam:env:external:v1' in {found['urn'] for found in environments}
    assert 'DELETE /v1/jars/beam.jar' in map(str, server.requests)


def test_spark_is_told_of_one_jar_with_the_job_in_it_when_there_is_no_job_server(
    examples: Any, tmp_path: pathlib.Path
) -> None:
    jar = write_jar(tmp_path / 'server.jar')
    cluster = FakeCluster()
    with serving(cluster) as server:
        named = (f'spark.rest_url={server.url}', f'spark.job_server_jar={jar}')
        with pytest.raises(ComponentError, match='StatisticsGen: the Beam job .* no cluster here'):
            statistics(examples, tmp_path, *SPARK, *named)
    (submission,) = cluster.submissions
    assert submission['mainClass'] == 'org.apache.beam.runners.spark.SparkPipelineRunner'
    made = pathlib.Path(submission['appResource'].removeprefix('file:'))
    pipeline, options = job_in(made.read_bytes())
    made.unlink()
    assert options['environment_config'] == 'reviews:1'
    environments = pipeline['components']['environments'].values()
    assert 'beam:env:docker:v1' in {found['urn'] for found in environments}


def test_dataflow_gets_a_job_with_the_settings_in_it_when_it_is_the_runner(
    examples: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with google_cloud() as cloud:
        monkeypatch.setenv('STORAGE_EMULATOR_HOST', cloud.url)
        monkeypatch.setenv('NO_GCE_CHECK', 'true')
        monkeypatch.setenv('CLOUDSDK_CONFIG', str(tmp_path / 'no_credentials'))
        with pytest.raises(ComponentError, match='StatisticsGen: the Beam job failed'):
            statistics(
                examples,
                tmp_path,
                *DATAFLOW,
                'dataflow.service_account=w@my-project.iam.gserviceaccount.com',
                'dataflow.machine_type=n2-highmem-4',
                'dataflow.disk_gb=50',
                'dataflow.workers=2',
                'dataflow.max_workers=40',
                'dataflow.subnetwork=regions/europe-west4/subnetworks/s',
                'dataflow.public_ips=false',
                f'args=["--dataflow_endpoint={cloud.url}", "--no_auth"]',
            )
    ((path, job),) = cloud.jobs.items()
    assert path == '/v1b3/projects/my-project/locations/europe-west4/jobs'
    environment = job['environment']
    assert environment['serviceAccountEmail'] == 'w@my-project.iam.gserviceaccount.com'
    assert environment['tempStoragePrefix'].startswith('storage.googleapis.com/bucket/tmp')
    (pool,) = environment['workerPools']
    assert pool['workerHarnessContainerImage'] == 'eu.pkg.dev/p/r/reviews:1'
    expected = {
        'machineType': 'n2-highmem-4',
        'diskSizeGb': 50,
        'numWorkers': 2,
        'subnetwork': 'regions/europe-west4/subnetworks/s',
    }
    assert {name: pool.get(name) for name in expected} == expected
    # By name, or in newer versions by its number.
    assert pool['ipConfiguration'] in ('WORKER_IP_PRIVATE', 2)
    assert pool['autoscalingSettings']['maxNumWorkers'] == 40
    assert 'tfx_executor' in json.dumps(job['labels'])
    # What the workers run was uploaded, and is this node's pipeline.
    (staged,) = (content for name, content in cloud.objects.items() if 'pipeline.pb' in name)
    pipeline = beam_runner_api_pb2.Pipeline.FromString(staged)
    names = {transform.unique_name for transform in pipeline.components.transforms.values()}
    assert any('Fold' in name for name in names)
    assert not [name for name in cloud.objects if 'extra_package' in name or 'tfx' in name]
