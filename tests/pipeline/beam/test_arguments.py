"""What Beam is told is what the settings say; Beam itself reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import runner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx.utils import dependency_utils

from components.common.errors import ConfigError
from pipeline.beam.arguments import beam_args, require_known
from pipeline.beam.runners import RUNNERS
from tests.pipeline.settings.test_beam import COMPLETE, DATAFLOW, FLINK, PORTABLE, SPARK, config

MORE = {'dataflow': ('dataflow.machine_type=n2-highmem-4', 'dataflow.public_ips=false')}
PROCESS = ('portable.environment=PROCESS', 'portable.environment_config=/opt/apache/beam/boot')


def options(*settings: str) -> dict[str, Any]:
    """Return Beam's options, as Beam reads them; all of them must be known to it."""
    read = PipelineOptions(list(beam_args(config(*settings).beam)))
    found: dict[str, Any] = read.get_all_options(drop_default=True)
    assert found.keys() == read.get_all_options(True, retain_unknown_options=True).keys()
    return found


def test_options_are_those_of_one_process_when_nothing_is_said() -> None:
    assert beam_args(config().beam) == (
        '--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner',
        '--direct_running_mode=in_memory',
        '--direct_num_workers=1',
        '--no_pipeline_type_check',
        '--requirements_file=/dev/null',
    )


def test_the_runner_is_beams_own_for_one_process_when_nothing_is_said() -> None:
    read = PipelineOptions(list(beam_args(config().beam)))
    # And not the one that first looks for a program to download.
    chosen = runner.create_runner(read.get_all_options()['runner'])
    assert type(chosen) is FnApiRunner


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (
            ('direct.running_mode=multi_processing', 'direct.workers=4'),
            {'direct_running_mode': 'multi_processing', 'direct_num_workers': 4},
        ),
        (
            COMPLETE['portable'],
            {
                'runner': 'PortableRunner',
                'job_endpoint': 'jobs:8099',
                'environment_type': 'LOOPBACK',
            },
        ),
        (
            (*PORTABLE, *PROCESS),
            {'environment_config': json.dumps({'command': '/opt/apache/beam/boot'})},
        ),
        (
            (*FLINK, 'flink.job_endpoint=jobs:8099', 'flink.parallelism=8'),
            {
                'runner': 'FlinkRunner',
                'job_endpoint': 'jobs:8099',
                'parallelism': 8,
                'environment_type': 'EXTERNAL',
                'environment_config': 'localhost:50000',
            },
        ),
        (
            (*FLINK, 'flink.master=http://flink:8081', 'flink.job_server_jar=server.jar'),
            {
                'flink_master': 'http://flink:8081',
                'flink_submit_uber_jar': True,
                'flink_job_server_jar': 'server.jar',
            },
        ),
        (
            (*SPARK, 'spark.rest_url=http://spark:6066', 'spark.job_server_jar=server.jar'),
            {
                'runner': 'SparkRunner',
                'spark_submit_uber_jar': True,
                'spark_rest_url': 'http://spark:6066',
                'spark_job_server_jar': 'server.jar',
                'environment_type': 'DOCKER',
                'environment_config': 'reviews:1',
                'sdk_container_image': 'reviews:1',
            },
        ),
        (
            (
                *DATAFLOW,
                'dataflow.service_account=w@my-project.iam.gserviceaccount.com',
                'dataflow.machine_type=n2-highmem-4',
                'dataflow.disk_gb=50',
                'dataflow.workers=2',
                'dataflow.max_workers=40',
                'dataflow.subnetwork=regions/europe-west4/subnetworks/s',
                'dataflow.public_ips=false',
                'args=["--number_of_worker_harness_threads=2"]',
            ),
            {
                'runner': 'DataflowRunner',
                'project': 'my-project',
                'region': 'europe-west4',
                'temp_location': 'gs://bucket/tmp',
                'staging_location': 'gs://bucket/tmp',
                'sdk_container_image': 'eu.pkg.dev/p/r/reviews:1',
                'sdk_location': 'container',
                'service_account_email': 'w@my-project.iam.gserviceaccount.com',
                'machine_type': 'n2-highmem-4',
                'disk_size_gb': 50,
                'num_workers': 2,
                'max_num_workers': 40,
                'subnetwork': 'regions/europe-west4/subnetworks/s',
                'use_public_ips': False,
                'number_of_worker_harness_threads': 2,
            },
        ),
    ],
)
def test_beam_reads_what_was_meant_when_a_runner_is_chosen(
    settings: tuple[str, ...], expected: dict[str, Any]
) -> None:
    found = options(*settings)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize('name', RUNNERS)
def test_beam_itself_finds_nothing_wrong_when_the_settings_are_complete(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether it keeps what is deleted is the bucket's matter, which is not there.
    monkeypatch.setattr(
        'apache_beam.options.pipeline_options.GoogleCloudOptions.'
        '_warn_if_soft_delete_policy_enabled',
        lambda *_: None,
    )
    args = list(beam_args(config(*COMPLETE[name]).beam))
    read = PipelineOptions(args)
    chosen = runner.create_runner(read.get_all_options()['runner'])
    assert PipelineOptionsValidator(read, chosen).validate() == []
    # TFX would add a package of itself.
    assert dependency_utils.make_beam_dependency_flags(args) == args


@pytest.mark.parametrize(
    ('runner_name', 'arg', 'name'),
    [
        ('direct', '--runner=DirectRunner', 'runner'),
        ('flink', '--environment_type=DOCKER', 'environment_type'),
        ('dataflow', '--project=other', 'project'),
        ('dataflow', '--sdk_container_image=other', 'sdk_container_image'),
        ('dataflow', '--use_public_ips', 'use_public_ips'),
        ('dataflow', '--worker_machine_type=n2-highmem-8', 'worker_machine_type'),
        # Beam's own defaults are settings, too.
        ('direct', '--direct_num_workers=1', 'direct_num_workers'),
        ('direct', '--direct_running_mode=in_memory', 'direct_running_mode'),
        ('direct', '--direct_num_workers=4', 'direct_num_workers'),
        ('direct', '--direct_running_mode=multi_processing', 'direct_running_mode'),
        ('flink', '--environment_type=EXTERNAL', 'environment_type'),
    ],
)
def test_a_further_option_is_refused_when_a_setting_says_it(
    runner_name: str, arg: str, name: str
) -> None:
    beam = config(*COMPLETE[runner_name], *MORE.get(runner_name, ()), f'args=["{arg}"]').beam
    with pytest.raises(ConfigError, match=f'--{name} is said by a setting'):
        require_known(beam)


def test_a_further_option_is_refused_when_it_is_one_process_and_the_setting_says_several() -> None:
    settings = ('direct.running_mode=multi_threading', 'direct.workers=4')
    with pytest.raises(ConfigError, match='--direct_num_workers is said by a setting'):
        require_known(config(*settings, 'args=["--direct_num_workers=1"]').beam)


@pytest.mark.parametrize(
    ('runner_name', 'arg'),
    [
        ('direct', '--requirements_file=x'),
        ('direct', '--no_pipeline_type_check'),
        ('dataflow', '--sdk_location=x'),
        ('flink', '--sdk_container_image=x'),
    ],
)
def test_a_further_option_is_refused_without_a_setting_when_there_is_none(
    runner_name: str, arg: str
) -> None:
    name = arg.partition('=')[0]
    with pytest.raises(ConfigError, match=f'^beam.args: {name} is set by this program$') as caught:
        require_known(config(*COMPLETE[runner_name], f'args=["{arg}"]').beam)
    assert caught.value.hint == 'leave it out'


@pytest.mark.parametrize(
    ('runner_name', 'arg', 'whole'),
    [
        ('direct', '--direct_num=4', '--direct_num_workers'),
        ('flink', '--job_end=other:8099', '--job_endpoint'),
    ],
)
def test_a_further_option_is_refused_when_its_name_is_cut_short(
    runner_name: str, arg: str, whole: str
) -> None:
    with pytest.raises(ConfigError, match=f'Beam takes --.* for {whole}$') as caught:
        require_known(config(*COMPLETE[runner_name], f'args=["{arg}"]').beam)
    assert 'whole name' in caught.value.hint


@pytest.mark.parametrize(
    ('runner_name', 'arg', 'message'),
    [
        ('dataflow', '--number_of_harness_threads=2', 'no option --number_of_harness_threads'),
        ('direct', '--checkpointing_interval=1', 'no option --checkpointing_interval'),
        ('dataflow', '--number_of_worker_harness_threads=two', "invalid int value: 'two'"),
        ('flink', '--number_of_worker_harness_threads=two', "invalid int value: 'two'"),
    ],
)
def test_a_further_option_is_refused_when_beam_does_not_take_it(
    runner_name: str, arg: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        require_known(config(*COMPLETE[runner_name], f'args=["{arg}"]').beam)


def test_an_option_that_beam_does_not_know_goes_to_a_job_server_when_it_may() -> None:
    beam = config(*COMPLETE['flink'], 'args=["--checkpointing_interval=1"]').beam
    require_known(beam)
    assert beam_args(beam)[-1] == '--checkpointing_interval=1'
