"""What each runner needs is asked for, and nothing else is let through."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from components.common.errors import ConfigError
from pipeline.beam.runners import RUNNERS
from pipeline.settings.config import PipelineConfig, load_config
from tests.conftest import run_command

PORTABLE = ('runner=portable', 'portable.job_endpoint=jobs:8099')
FLINK = ('runner=flink', 'flink.environment=EXTERNAL', 'flink.environment_config=localhost:50000')
SPARK = ('runner=spark', 'spark.environment=DOCKER', 'spark.environment_config=reviews:1')
DATAFLOW = (
    'runner=dataflow',
    'dataflow.project=my-project',
    'dataflow.region=europe-west4',
    'dataflow.temp_location=gs://bucket/tmp',
    'dataflow.sdk_container_image=eu.pkg.dev/p/r/reviews:1',
)
COMPLETE = {
    'direct': ('runner=direct',),
    'portable': (*PORTABLE, 'portable.environment=LOOPBACK'),
    'flink': (*FLINK, 'flink.job_endpoint=jobs:8099'),
    'spark': (*SPARK, 'spark.job_endpoint=jobs:8099'),
    'dataflow': DATAFLOW,
}


def config(*settings: str, data: str = 'reviews.csv') -> PipelineConfig:
    return load_config(
        preset='ngram',
        flags={'data.path': data},
        settings=[f'beam.{setting}' for setting in settings],
    )


@pytest.mark.parametrize('runner', RUNNERS)
def test_settings_are_taken_when_they_are_complete(runner: str) -> None:
    assert config(*COMPLETE[runner]).beam.runner == runner


@pytest.mark.parametrize('runner', [runner for runner in RUNNERS if runner != 'direct'])
def test_each_setting_is_asked_for_when_it_is_left_out(runner: str) -> None:
    first, *others = COMPLETE[runner]
    for index, left_out in enumerate(others):
        name = left_out.partition('=')[0]
        with pytest.raises(ConfigError, match=name.replace('.', r'\.')):
            config(first, *others[:index], *others[index + 1 :])


def test_a_runner_that_is_not_chosen_may_be_incomplete_when_another_is() -> None:
    settings = config('flink.master=http://flink:8081', 'dataflow.project=my-project')
    assert settings.beam.runner == 'direct'


@pytest.mark.parametrize(
    ('runner', 'one', 'other'),
    [
        (FLINK, 'flink.master=http://flink:8081', 'flink.job_server_jar=server.jar'),
        (SPARK, 'spark.rest_url=http://spark:6066', 'spark.job_server_jar=server.jar'),
    ],
)
def test_a_jar_and_its_address_stand_in_for_a_job_server_when_both_are_given(
    runner: tuple[str, ...], one: str, other: str
) -> None:
    assert config(*runner, one, other)
    for given, missing in ((one, other), (other, one)):
        with pytest.raises(ConfigError, match=missing.partition('=')[0]):
            config(*runner, given)


@pytest.mark.parametrize(
    ('runner', 'dropped'),
    [
        (FLINK, 'flink.job_server_jar=server.jar'),
        (SPARK, 'spark.job_server_jar=server.jar'),
        (SPARK, 'spark.rest_url=http://spark:6066'),
    ],
)
def test_two_ways_to_send_jobs_are_refused_when_one_would_be_dropped(
    runner: tuple[str, ...], dropped: str
) -> None:
    name, _, setting = dropped.partition('=')[0].partition('.')
    message = rf'beam\.{name}: jobs are sent by .*; got both job_endpoint and {setting}$'
    with pytest.raises(ConfigError, match=message):
        config(*runner, f'{name}.job_endpoint=jobs:8099', dropped)


@pytest.mark.parametrize(
    'settings',
    [
        (*FLINK, 'flink.job_endpoint=jobs:8099', 'flink.master=http://flink:8081'),
        ('portable.job_endpoint="[::1]:65535"',),
        ('portable.job_endpoint=jobs:1',),
        ('flink.master=https://flink/',),
        # What follows the last colon is no port.
        ('dataflow.temp_location=gs://bucket/run:20240101',),
        ('dataflow.workers=4', 'dataflow.max_workers=4'),
        ('dataflow.workers=4',),
    ],
)
def test_a_setting_is_taken_when_it_is_at_the_edge_of_what_is_allowed(
    settings: tuple[str, ...]
) -> None:
    assert config(*settings)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (('runner=prism',), r"beam\.runner: .*'direct'.*got 'prism'"),
        (('direct.workers=2',), r'beam\.direct\.workers: in_memory has one worker, got 2'),
        (('direct.running_mode=docker',), r'beam\.direct\.running_mode'),
        (('portable.job_endpoint=http://jobs:8099',), r'expected HOST:PORT'),
        (('portable.job_endpoint=jobs',), r'beam\.portable\.job_endpoint: expected HOST:PORT'),
        (('portable.job_endpoint=jobs:65536',), r'expected HOST:PORT'),
        (('portable.job_endpoint=jobs:0',), r'expected HOST:PORT'),
        (('portable.job_endpoint=jobs:99999',), r'expected HOST:PORT'),
        (('portable.job_endpoint="jobs:8099\\n"',), r'expected HOST:PORT'),
        (('flink.master=http://flink:0',), r'beam\.flink\.master: expected http://HOST:PORT'),
        (('spark.rest_url=http://spark:65536/',), r'spark\.rest_url: expected http://HOST:PORT'),
        (('flink.master=flink:8081',), r'beam\.flink\.master: expected http://HOST:PORT'),
        (('flink.parallelism=0',), r'beam\.flink\.parallelism'),
        (('spark.rest_url=spark://spark:7077',), r'beam\.spark\.rest_url: expected http://'),
        (('dataflow.project="123456"',), r'beam\.dataflow\.project: expected the ID'),
        (('dataflow.region=europe',), r'beam\.dataflow\.region: expected a region'),
        (('dataflow.temp_location=/tmp/x',), r'beam\.dataflow\.temp_location: expected gs://'),
        (('dataflow.temp_location=gs://bucket',), r'expected gs://BUCKET/FOLDER'),
        (
            ('dataflow.workers=5', 'dataflow.max_workers=4'),
            r'beam\.dataflow\.workers: expected no more than max_workers, 4, got 5',
        ),
        (('dataflow.max_workers=0',), r'beam\.dataflow\.max_workers'),
        (('portable.setup_file=build.py',), r'beam\.portable\.setup_file'),
        ((*PORTABLE, 'portable.environment=EXTERNAL'), r'EXTERNAL needs .*environment_config'),
        ((*PORTABLE, 'portable.environment=DOCKER'), r'DOCKER needs .*environment_config'),
        (
            (
                *PORTABLE,
                'portable.environment=EXTERNAL',
                'portable.environment_config=workers',
            ),
            r'expected HOST:PORT of the workers',
        ),
        (
            (
                *PORTABLE,
                'portable.environment=EXTERNAL',
                'portable.environment_config=localhost:99999',
            ),
            r'expected HOST:PORT of the workers',
        ),
        (
            (*PORTABLE, 'portable.environment=LOOPBACK', 'portable.environment_config=a:1'),
            r'LOOPBACK takes none',
        ),
        (('args=["runner=DirectRunner"]',), r'beam\.args.*--NAME=VALUE'),
        (('args=["--number_of_worker_harness_threads 4"]',), r'beam\.args.*--NAME=VALUE'),
    ],
)
def test_a_setting_is_refused_with_its_name_when_it_is_wrong(
    settings: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(*settings)


@pytest.mark.parametrize(
    'setting',
    [
        'portable.job_endpoint=me:s3cret@jobs:8099',
        'flink.master=http://me:s3cret@flink:8081',
        'spark.rest_url=http://spark:6066/?token=s3cret',
        'flink.job_server_jar=https://me:s3cret@example.com/server.jar',
        'dataflow.sdk_container_image=https://me:s3cret@example.com/image',
        'args=["--s3_secret_access_key=s3cret"]',
        'args=["--azure_connection_string=s3cret"]',
        'args=["--dataflow_endpoint=https://me:s3cret@example.com"]',
    ],
)
def test_credentials_are_refused_and_not_repeated_when_a_setting_has_some(
    setting: str, tmp_path: pathlib.Path
) -> None:
    done = run_command('config', 'show', '--set', f'beam.{setting}', cwd=tmp_path)
    assert (done.code, done.out) == (2, '')
    assert len(done.err.splitlines()) == 1
    assert 's3cret' not in done.err


def test_the_runner_is_that_of_the_option_when_a_file_has_another(tmp_path: pathlib.Path) -> None:
    file = tmp_path / 'beam.yaml'
    tree = {'runner': 'dataflow', 'portable': {'job_endpoint': 'a:1', 'environment': 'LOOPBACK'}}
    file.write_text(yaml.safe_dump({'beam': tree}))
    args = ('config', 'show', '--config', str(file))
    assert 'needs beam.dataflow.project' in run_command(*args, cwd=tmp_path).err
    done = run_command(*args, '--beam-runner', 'portable', cwd=tmp_path)
    assert done.code == 0
    assert yaml.safe_load(done.out)['beam']['runner'] == 'portable'
