"""Beam's command-line options for a runner, from its settings."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from components.common.errors import ConfigError
from pipeline.settings.beam import BeamSettings, DataflowSettings, FlinkSettings, SparkSettings

# By its whole name: what Beam calls DirectRunner tries, in newer versions, another runner first,
# for which it downloads a program.
DIRECT_RUNNER = 'apache_beam.runners.portability.fn_api_runner.FnApiRunner'
_RUNNERS = {
    'direct': DIRECT_RUNNER,
    'portable': 'PortableRunner',
    'flink': 'FlinkRunner',
    'spark': 'SparkRunner',
    'dataflow': 'DataflowRunner',
}
# What no setting says.
_OWN = (
    'no_pipeline_type_check',
    'requirements_file',
    'sdk_location',
    'flink_submit_uber_jar',
    'spark_submit_uber_jar',
)
_NO_IMAGE = 'none'
# Those that know all of their options; a job server has more, which it tells when it is asked.
_KNOW_ALL = ('direct', 'dataflow')
_HINT = "see Beam's pipeline options"


def beam_args(beam: BeamSettings) -> tuple[str, ...]:
    """Return the options that the settings mean, as `--NAME=VALUE` or `--NAME`.

    >>> beam_args(BeamSettings())[1:3]
    ('--direct_running_mode=in_memory', '--direct_num_workers=1')
    """
    return (*_derived(beam), *beam.args)


def _derived(beam: BeamSettings) -> tuple[str, ...]:
    return tuple(
        f'--{name}' if value is None else f'--{name}={value}' for name, value in _options(beam)
    )


def _options(beam: BeamSettings) -> Iterator[tuple[str, Any]]:
    """Yield names and values; None: there is none."""
    yield 'runner', _RUNNERS[beam.runner]
    if beam.runner == 'direct':
        yield 'direct_running_mode', beam.direct.running_mode
        yield 'direct_num_workers', beam.direct.workers
    elif beam.runner == 'dataflow':
        yield from _dataflow(beam.dataflow)
    else:
        yield from _service(beam)
    yield 'no_pipeline_type_check', None
    if beam.runner == 'direct':
        # Otherwise TFX builds a package of itself for workers that do not exist.
        yield 'requirements_file', '/dev/null'


def _service(beam: BeamSettings) -> Iterator[tuple[str, Any]]:
    service = beam.service
    assert service is not None
    if service.job_endpoint is not None:
        yield 'job_endpoint', service.job_endpoint
    if isinstance(service, FlinkSettings):
        if service.master is not None:
            yield 'flink_master', service.master
        if service.job_endpoint is None:
            yield 'flink_submit_uber_jar', None
            yield 'flink_job_server_jar', service.job_server_jar
        if service.parallelism is not None:
            yield 'parallelism', service.parallelism
    elif isinstance(service, SparkSettings) and service.job_endpoint is None:
        yield 'spark_submit_uber_jar', None
        yield 'spark_rest_url', service.rest_url
        yield 'spark_job_server_jar', service.job_server_jar
    yield 'environment_type', service.environment
    if service.environment == 'PROCESS':
        yield 'environment_config', json.dumps({'command': service.environment_config})
    elif service.environment_config is not None:
        yield 'environment_config', service.environment_config
    if service.setup_file is not None:
        # Beam goes to its folder to build the package.
        yield 'setup_file', os.path.abspath(service.setup_file)
    else:
        # Otherwise TFX builds a package of itself. Only containers are made from this.
        is_image = service.environment == 'DOCKER'
        yield 'sdk_container_image', service.environment_config if is_image else _NO_IMAGE


def _dataflow(dataflow: DataflowSettings) -> Iterator[tuple[str, Any]]:
    named = {
        'project': dataflow.project,
        'region': dataflow.region,
        'temp_location': dataflow.temp_location,
        'staging_location': dataflow.staging_location or dataflow.temp_location,
        'sdk_container_image': dataflow.sdk_container_image,
        'service_account_email': dataflow.service_account,
        'machine_type': dataflow.machine_type,
        'disk_size_gb': dataflow.disk_gb,
        'num_workers': dataflow.workers,
        'max_num_workers': dataflow.max_workers,
        'subnetwork': dataflow.subnetwork,
    }
    yield from ((name, value) for name, value in named.items() if value is not None)
    if not dataflow.public_ips:
        yield 'no_use_public_ips', None
    # The image has Beam.
    yield 'sdk_location', 'container'


def require_known(beam: BeamSettings) -> None:
    """Have Beam read the further options: it passes over what it does not know.

    Raises:
        ConfigError: If it does not know one, or not by its whole name, or not that
            value, or if a setting or this program says the same.
    """
    if not beam.args:
        return
    known = _known_to_beam(beam.args)
    derived = {known[f'--{name}']: (name, value) for name, value in _options(beam)}
    for arg in beam.args:
        name = arg.partition('=')[0]
        if name not in known:
            _require_no_short_name(name, known)
            if beam.runner in _KNOW_ALL:
                raise ConfigError(f'beam.args: Beam has no option {name}', hint=_HINT)
        elif known[name] in derived:
            raise _said_already(beam, name, *derived[known[name]])


def _known_to_beam(args: Iterable[str]) -> dict[str, str]:
    """Have Beam read options, and return the key of each one that it knows, by its name.

    What an option does not say has a default there: of what Beam read, it cannot
    be told what was said.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    parsers: list[argparse.ArgumentParser] = []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            PipelineOptions(list(args)).get_all_options(add_extra_args_fn=parsers.append)
    except SystemExit as err:
        problem = said.getvalue().strip().rpartition('error: ')[2]
        raise ConfigError(f'beam.args: Beam does not take this: {problem}', hint=_HINT) from err
    return {name: action.dest for name, action in parsers[0]._option_string_actions.items()}


def _require_no_short_name(name: str, known: Iterable[str]) -> None:
    # Beam takes the beginning of one option for it, and that of several for another one.
    whole = [option for option in known if option.startswith(name)]
    if len(whole) == 1:
        raise ConfigError(
            f'beam.args: Beam takes {name} for {whole[0]}', hint='say its whole name'
        )


def _said_already(beam: BeamSettings, given: str, name: str, value: Any) -> ConfigError:
    if name in _OWN or value == _NO_IMAGE:
        return ConfigError(f'beam.args: {given} is set by this program', hint='leave it out')
    hint = f'look below beam.{beam.runner} in what `pipeline_runner.py config show` says'
    return ConfigError(
        f'beam.args: {given} is said by a setting of its own',
        hint='say --beam-runner RUNNER' if name == 'runner' else hint,
    )
