"""Which Beam runner the nodes that read all data use, and its options."""

from __future__ import annotations

import re

import pydantic

from components.common.errors import ConfigError
from components.common.settings import Settings

_OPTION = re.compile(r'--[A-Za-z][\w-]*')
_CREDENTIAL = re.compile(
    r'token|secret|passw|pwd|credential|access_?key|connection_?string|api_?key', re.IGNORECASE
)


class BeamSettings(Settings):
    """The Beam runner of ExampleGen, StatisticsGen, Transform and Evaluator.

    Example:
        >>> BeamSettings(runner='PortableRunner', args=('--job_endpoint=localhost:8099',)).runner
        'PortableRunner'
    """

    runner: str = pydantic.Field(
        'direct',
        min_length=1,
        description='Beam runner: direct (in memory, in the process of the node), or a name that '
        'Beam knows, such as PortableRunner, FlinkRunner or DataflowRunner',
    )
    args: tuple[str, ...] = pydantic.Field(
        (), description="Beam pipeline options, one per element: ['--NAME=VALUE']"
    )
    start_timeout_minutes: float = pydantic.Field(
        5.0,
        gt=0,
        le=1440,
        description='how long a Beam job may wait for task slots on Flink, or for its first '
        'worker there',
    )

    @pydantic.field_validator('args')
    @classmethod
    def _are_options(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        for arg in args:
            name = arg.partition('=')[0]
            if not _OPTION.fullmatch(name):
                raise ValueError(f'expected one Beam option per element, as --NAME=VALUE: {arg!r}')
            if _CREDENTIAL.search(name):
                # Settings are printed, kept with each run, and part of a compiled pipeline.
                raise ConfigError(
                    f'beam.args: expected no credentials, got {name}=***',
                    hint='pass them through environment variables or a service account',
                )
        return args
