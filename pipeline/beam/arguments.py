"""The command-line options that TFX passes to Beam."""

from __future__ import annotations

import contextlib
import io

from components.common.errors import ConfigError
from pipeline.settings.beam import BeamSettings

# The full class name: in newer versions of Beam, the name DirectRunner first tries Prism, and
# downloads a program for it.
DIRECT_RUNNER = 'apache_beam.runners.portability.fn_api_runner.FnApiRunner'
_DIRECT_NAMES = ('direct', 'directrunner')
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

    Options that Beam does not know are accepted for runners with a job service, which
    can have options of its own.

    Raises:
        ConfigError: If Beam does not know the runner or an option, or refuses a value.
    """
    if beam == BeamSettings():
        return
    printed = io.StringIO()
    # Google's clients warn when they are imported, and Beam logs unknown options.
    with contextlib.redirect_stderr(printed):
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
        from apache_beam.runners.portability.portable_runner import PortableRunner
        from apache_beam.runners.runner import create_runner

        try:
            options = PipelineOptions(list(beam_args(beam)))
            known = options.get_all_options()
            given = options.get_all_options(retain_unknown_options=True)
        except SystemExit as err:
            problem = printed.getvalue().strip().rpartition('error: ')[2]
            raise ConfigError(f'beam.args: Beam refused an option: {problem}', hint=_HINT) from err
        try:
            runner = create_runner(known['runner'])
        except (ValueError, ImportError, AttributeError, TypeError) as err:
            message = str(err).rstrip('.')
            raise ConfigError(f'beam.runner: {message}', hint='pass --beam-runner NAME') from err
        if isinstance(runner, PortableRunner):
            # For Dataflow, Beam's validator sends requests, and may create a bucket.
            errors = PipelineOptionsValidator(options, runner).validate()
        else:
            unknown = sorted(given.keys() - known.keys())
            errors = [f'Beam has no option --{name}' for name in unknown]
    if errors:
        raise ConfigError(f'beam.args: {errors[0].rstrip(".")}', hint=_HINT)
