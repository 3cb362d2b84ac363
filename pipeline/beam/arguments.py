"""The command-line options that TFX passes to Beam."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common.errors import ConfigError
from components.common.stacks import quiet_google_imports
from pipeline.settings.beam import BeamSettings

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

# The full class name: in newer versions of Beam, the name DirectRunner first tries Prism, and
# downloads a program for it.
DIRECT_RUNNER = 'apache_beam.runners.portability.fn_api_runner.FnApiRunner'
_DIRECT_NAMES = ('direct', 'directrunner')
# As Beam's client reads the values of options that a service describes.
_TYPES = {'INTEGER': int}
_HINT = "see the pipeline options in Beam's documentation"


def is_direct(beam: BeamSettings) -> bool:
    """Return whether Beam runs on this machine, without a service."""
    return beam.runner.lower() in _DIRECT_NAMES


def beam_args(beam: BeamSettings) -> tuple[str, ...]:
    """Return the options for the settings; `beam.args` come last and win.

    Example:
        >>> beam_args(BeamSettings())[1:3]
        ('--direct_running_mode=in_memory', '--direct_num_workers=1')
    """
    if is_direct(beam):
        return (
            f'--runner={DIRECT_RUNNER}',
            '--direct_running_mode=in_memory',
            '--direct_num_workers=1',
            '--no_pipeline_type_check',
            # Without a file, TFX builds a package of itself for workers that do not exist.
            '--requirements_file=/dev/null',
            *beam.args,
        )
    own = [f'--runner={beam.runner}', '--no_pipeline_type_check']
    if any(arg.startswith('--environment_type=') for arg in beam.args):
        # The workers are started elsewhere, with their code. Without an image, TFX builds a
        # package of itself for them. Beam reads the image for DOCKER workers only, and there
        # --environment_config comes first.
        own.append('--sdk_container_image=none')
    default = BeamSettings.model_fields['start_timeout_minutes'].default
    if beam.start_timeout_minutes != default:
        own.append(f'--start_timeout_minutes={beam.start_timeout_minutes:g}')
    return (*own, *beam.args)


def require_valid_options(beam: BeamSettings) -> None:
    """Have Beam validate the runner and the options before a run starts.

    A job service can have options that Beam does not know, and describes them. Beam leaves out
    what neither of them knows. If the service does not answer, all options are accepted.

    Raises:
        ConfigError: If Beam and the job service do not know the runner or an option, or refuse
            a value, or if an option has no effect.
    """
    if beam == BeamSettings():
        return
    printed = io.StringIO()
    # Google's clients warn when they are imported, and Beam logs unknown options.
    with contextlib.redirect_stderr(printed), quiet_google_imports():
        from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
        from apache_beam.runners.portability.portable_runner import PortableRunner
        from apache_beam.runners.runner import create_runner

        # Importing it adds the options of this project to Beam's.
        from components.beam_jobs.service_job import StartOptions

        try:
            options = StartOptions(list(beam_args(beam)))
            known = options.get_all_options()
            given = options.get_all_options(retain_unknown_options=True)
            try:
                runner = create_runner(known['runner'])
            except (ValueError, ImportError, AttributeError, TypeError) as err:
                message = str(err).rstrip('.')
                raise ConfigError(
                    f'beam.runner: {message}', hint='pass --beam-runner NAME'
                ) from err
            unknown = sorted(given.keys() - known.keys())
            if isinstance(runner, PortableRunner):
                _require_effect(given)
                errors = [
                    f'neither Beam nor the job service has an option --{name}: it would be left out'
                    for name in _unknown_to_service(unknown, options, known['job_endpoint'])
                ]
                errors = errors or PipelineOptionsValidator(options, runner).validate()
            else:
                # For Dataflow, Beam's validator sends requests, and may create a bucket.
                errors = [f'Beam has no option --{name}' for name in unknown]
        except SystemExit as err:
            problem = printed.getvalue().strip().rpartition('error: ')[2]
            raise ConfigError(f'beam.args: Beam refused an option: {problem}', hint=_HINT) from err
    if errors:
        raise ConfigError(f'beam.args: {errors[0].rstrip(".")}', hint=_HINT)


def _require_effect(given: Mapping[str, Any]) -> None:
    # Beam's runner reads neither in `createBatchExecutionEnvironment`
    # (FlinkExecutionEnvironments.java, v2.62.0).
    for name in ('number_of_execution_retries', 'execution_retry_delay'):
        if name in given and not given.get('use_data_stream_for_batch'):
            raise ConfigError(
                f'beam.args: --{name} has no effect: Flink reads it for streaming jobs only',
                hint="set restart-strategy.type in the cluster's configuration",
            )


def _unknown_to_service(
    names: Sequence[str], options: PipelineOptions, endpoint: str | None
) -> list[str]:
    """Return which of these options the job service does not know, either.

    Raises:
        SystemExit: If a value does not have the type that the service describes.
    """
    from components.beam_jobs.job_service import JobService

    described = JobService(endpoint).describe_options() if names and endpoint else None
    if described is None:
        return []

    def add_described(parser: argparse.ArgumentParser) -> None:
        for name in described.keys() & set(names):
            if described[name] == 'BOOLEAN':
                parser.add_argument(f'--{name}', action='store_true')
            else:
                parser.add_argument(f'--{name}', type=_TYPES.get(described[name], str))

    options.get_all_options(add_extra_args_fn=add_described)
    return [name for name in names if name not in described]
