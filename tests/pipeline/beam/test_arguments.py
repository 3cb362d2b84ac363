from __future__ import annotations

import pathlib

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners import runner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx.utils import dependency_utils

from components.beam_jobs.service_job import StartOptions
from components.common.errors import ConfigError
from pipeline.beam.arguments import beam_args, require_valid_options
from pipeline.settings.beam import BeamSettings
from tests.conftest import SAMPLE, call_command
from tests.pipeline.beam.flink import flink_job_server

JOB_SERVICE = (
    '--job_endpoint=jobs:8099',
    '--environment_type=EXTERNAL',
    '--environment_config=localhost:50000',
)


@pytest.mark.parametrize('name', ['direct', 'DirectRunner'])
def test_beam_runs_in_memory_when_the_runner_is_direct(name: str) -> None:
    args = list(beam_args(BeamSettings(runner=name)))
    assert args == [
        '--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner',
        '--direct_running_mode=in_memory',
        '--direct_num_workers=1',
        '--no_pipeline_type_check',
        '--requirements_file=/dev/null',
    ]
    # Not the runner that first tries to download a program.
    assert type(runner.create_runner(PipelineOptions(args).get_all_options()['runner'])) is (
        FnApiRunner
    )


def test_last_option_wins_when_args_repeat_one() -> None:
    beam = BeamSettings(args=('--direct_running_mode=multi_processing', '--direct_num_workers=4'))
    read = PipelineOptions(list(beam_args(beam))).get_all_options()
    assert (read['direct_running_mode'], read['direct_num_workers']) == ('multi_processing', 4)


@pytest.mark.parametrize(('minutes', 'expected'), [(5, 5.0), (0.5, 0.5)])
def test_nodes_get_the_time_to_start_when_their_jobs_run_on_a_service(
    minutes: float, expected: float
) -> None:
    beam = BeamSettings(runner='FlinkRunner', args=JOB_SERVICE, start_timeout_minutes=minutes)
    options = PipelineOptions(list(beam_args(beam))).view_as(StartOptions)
    assert options.start_timeout_minutes == expected


@pytest.mark.parametrize(
    'beam',
    [
        BeamSettings(),
        BeamSettings(runner='FlinkRunner', args=JOB_SERVICE),
        BeamSettings(runner='PortableRunner', args=(*JOB_SERVICE, '--setup_file=setup.py')),
        BeamSettings(runner='DataflowRunner', args=('--sdk_container_image=reviews:1',)),
    ],
)
def test_tfx_builds_no_package_of_itself_when_workers_have_the_code(beam: BeamSettings) -> None:
    args = list(beam_args(beam))
    assert dependency_utils.make_beam_dependency_flags(args) == args


@pytest.mark.parametrize(
    'beam',
    [
        BeamSettings(),
        BeamSettings(args=('--direct_num_workers=4',)),
        BeamSettings(runner='apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner'),
        # A job server can have options that Beam's Python client does not know.
        BeamSettings(runner='FlinkRunner', args=(*JOB_SERVICE, '--checkpointing_interval=1')),
    ],
)
def test_options_are_accepted_when_beam_accepts_them(beam: BeamSettings) -> None:
    require_valid_options(beam)


@pytest.mark.parametrize(
    ('name', 'args', 'message'),
    [
        ('prismatic', (), r'^beam\.runner: Unexpected pipeline runner: prismatic\. Valid values'),
        ('no_such.Runner', (), r"^beam\.runner: No module named 'no_such'"),
        ('apache_beam.Nothing', (), r'^beam\.runner: .*Nothing'),
        ('direct', ('--projekt=p',), r'^beam\.args: Beam has no option --projekt$'),
        ('direct', ('--direct_num_workers=two',), r"^beam\.args: .*invalid int value: 'two'"),
        ('FlinkRunner', ('--parallelism=two',), r"^beam\.args: .*invalid int value: 'two'"),
        ('FlinkRunner', JOB_SERVICE[:2], r'^beam\.args: Option .* required for .* EXTERNAL'),
        ('DataflowRunner', ('--projekt=p',), r'^beam\.args: Beam has no option --projekt$'),
    ],
)
def test_options_are_refused_with_the_message_of_beam_when_beam_refuses_them(
    name: str, args: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        require_valid_options(BeamSettings(runner=name, args=args))


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (('--checkpointing_interval=1000', '--object_reuse', '--parallelism=2'), None),
        (
            ('--object_reuse', '--projekt=p'),
            r'^beam\.args: neither Beam nor the job service has an option --projekt: it would be '
            r'left out$',
        ),
        (('--checkpointing_interval=often',), r"^beam\.args: .*invalid int value: 'often'"),
        (('--object_reuse=yes',), r"^beam\.args: .*ignored explicit argument 'yes'"),
        (('--number_of_execution_retries=3',), r'has no effect: Flink reads it for streaming jobs'),
    ],
)
def test_options_are_judged_by_the_description_of_the_job_service_when_it_answers(
    args: tuple[str, ...], message: str | None
) -> None:
    with flink_job_server(None) as (endpoint, _):
        beam = BeamSettings(
            runner='FlinkRunner',
            args=(f'--job_endpoint={endpoint}', '--environment_type=LOOPBACK', *args),
        )
        if message is None:
            require_valid_options(beam)
        else:
            with pytest.raises(ConfigError, match=message):
                require_valid_options(beam)


def test_nothing_is_written_when_beam_refuses_an_option(tmp_path: pathlib.Path) -> None:
    done = call_command('run', '--data', str(SAMPLE), '--beam-runner', 'nosuch', cwd=tmp_path)
    assert (done.code, done.out) == (2, '')
    (line,) = done.err.splitlines()
    assert 'Unexpected pipeline runner: nosuch' in line
    assert list(tmp_path.iterdir()) == []
