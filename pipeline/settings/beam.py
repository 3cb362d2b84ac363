"""Which Beam runner the nodes with all the data run on, and what it needs.

A configuration may say how to use several runners; `runner` says which one
counts, and that one alone must be complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pydantic

from components.common.errors import ConfigError
from components.common.settings import Settings
from pipeline.beam.runners import RunnerName

Environment = Literal['LOOPBACK', 'EXTERNAL', 'DOCKER', 'PROCESS']

_PORT = r'([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])'
_IPV6 = r'\[[0-9A-Fa-f:.]+\]'
_ENDPOINT = re.compile(rf'({_IPV6}|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):{_PORT}')
_HTTP = re.compile(rf'https?://({_IPV6}|[^/\s@?:\[\]]+)(:{_PORT})?/?')
_FOLDER = re.compile(r'gs://[a-z0-9][a-z0-9._-]*/\S+')
# As Beam has it; a number is no project.
_PROJECT = re.compile(r'[a-z][-a-z0-9:.]+[a-z0-9]')
_REGION = re.compile(r'[a-z]+-[a-z]+\d+')
_CREDENTIAL = re.compile(
    r'token|secret|passw|pwd|credential|access_?key|connection_?string|api_?key', re.IGNORECASE
)


def _matches(
    pattern: re.Pattern[str], expected: str
) -> Callable[[str | None, pydantic.ValidationInfo], str | None]:
    def check(value: str | None, info: pydantic.ValidationInfo) -> str | None:
        if value is not None and not pattern.fullmatch(value):
            if '@' in value:
                _refuse_user(f'beam: {info.field_name}', value)
            raise ValueError(f'expected {expected}')
        return value

    return check


def _refuse_user(name: str, address: str) -> None:
    """Refuse what is before an @ without saying it."""
    raise ConfigError(
        f'{name}: expected an address without user, password or token, '
        f'got ***@{address.rpartition("@")[2]}',
        hint='give what connects there its credentials by its environment',
    )


class DirectSettings(Settings):
    """Beam on this machine: the only one that needs nothing else."""

    running_mode: Literal['in_memory', 'multi_threading', 'multi_processing'] = pydantic.Field(
        'in_memory', description='where the workers are; in_memory: in the process, one at a time'
    )
    workers: int = pydantic.Field(1, ge=1, le=1_000, description='at a time')

    @pydantic.model_validator(mode='after')
    def _workers_fit(self) -> DirectSettings:
        if self.running_mode == 'in_memory' and self.workers > 1:
            raise ConfigError(
                f'beam.direct.workers: in_memory has one worker, got {self.workers}',
                hint='say --set beam.direct.running_mode=multi_processing',
            )
        return self


class PortableSettings(Settings):
    """A Beam job service of any kind, and where its workers come from."""

    job_endpoint: str | None = pydantic.Field(None, description='HOST:PORT of the job service')
    environment: Environment | None = pydantic.Field(
        None,
        description='of the workers; LOOPBACK: threads of the run itself, EXTERNAL: a pool of '
        'workers, DOCKER: containers, PROCESS: a program on the machines of the cluster',
    )
    environment_config: str | None = pydantic.Field(
        None,
        min_length=1,
        description='HOST:PORT of the pool, the image, or the path of the program; for LOOPBACK '
        'none',
    )
    setup_file: str | None = pydantic.Field(
        None,
        pattern=r'^(.*/)?setup\.py$',
        description="this project's setup.py, for workers that do not have its code",
    )

    _endpoint = pydantic.field_validator('job_endpoint')(_matches(_ENDPOINT, 'HOST:PORT'))

    def missing(self) -> tuple[str, ...]:
        """List the settings without which this cannot be used."""
        return _unset(self, 'job_endpoint')


class FlinkSettings(PortableSettings):
    """Apache Flink: by its job server, or by a jar that is sent to its master."""

    master: str | None = pydantic.Field(
        None, description="http://HOST:PORT of Flink's REST interface; with a job server, its own"
    )
    job_server_jar: str | None = pydantic.Field(
        None, min_length=1, description="of Beam's job server: path or URL; sent to the master"
    )
    parallelism: int | None = pydantic.Field(
        None, ge=1, le=32_768, description='of each stage; none: that of the cluster'
    )

    _master = pydantic.field_validator('master')(_matches(_HTTP, 'http://HOST:PORT'))

    @pydantic.model_validator(mode='after')
    def _one_way(self) -> FlinkSettings:
        _refuse_with_job_server(self, 'flink', 'job_server_jar')
        return self

    def missing(self) -> tuple[str, ...]:
        """See the base class."""
        if self.job_endpoint or not (self.master or self.job_server_jar):
            return super().missing()
        return _unset(self, 'master', 'job_server_jar')


class SparkSettings(PortableSettings):
    """Apache Spark: by its job server, or by a jar that is named to its master."""

    rest_url: str | None = pydantic.Field(
        None, description="http://HOST:PORT of the REST interface of Spark's master"
    )
    job_server_jar: str | None = pydantic.Field(
        None, min_length=1, description="of Beam's job server: path or URL"
    )

    _rest = pydantic.field_validator('rest_url')(_matches(_HTTP, 'http://HOST:PORT'))

    @pydantic.model_validator(mode='after')
    def _one_way(self) -> SparkSettings:
        _refuse_with_job_server(self, 'spark', 'job_server_jar', 'rest_url')
        return self

    def missing(self) -> tuple[str, ...]:
        """See the base class."""
        if self.job_endpoint or not (self.rest_url or self.job_server_jar):
            return super().missing()
        return _unset(self, 'rest_url', 'job_server_jar')


def _refuse_with_job_server(settings: PortableSettings, runner: str, *names: str) -> None:
    """Refuse what is for sending jobs without a job server, where there is one."""
    for name in names:
        if settings.job_endpoint is not None and getattr(settings, name) is not None:
            raise ConfigError(
                f'beam.{runner}: jobs are sent by job_endpoint, or by {" and ".join(names)}; got '
                f'both job_endpoint and {name}',
                hint='leave one of them out',
            )


class DataflowSettings(Settings):
    """Google Cloud Dataflow."""

    project: str | None = pydantic.Field(None, description='ID of the Google Cloud project')
    region: str | None = pydantic.Field(None, description='as europe-west4')
    temp_location: str | None = pydantic.Field(None, description='gs://BUCKET/FOLDER')
    staging_location: str | None = pydantic.Field(
        None, description='gs://BUCKET/FOLDER; none: temp_location'
    )
    sdk_container_image: str | None = pydantic.Field(
        None, min_length=1, description="image of the workers: this project, and Beam's boot"
    )
    service_account: str | None = pydantic.Field(
        None, min_length=1, description='e-mail address that the workers run as'
    )
    machine_type: str | None = pydantic.Field(
        None, min_length=1, description='of the workers, as n2-highmem-4'
    )
    disk_gb: int | None = pydantic.Field(None, ge=10, le=65_536, description='of each worker')
    workers: int | None = pydantic.Field(None, ge=1, le=4_000, description='to start with')
    max_workers: int | None = pydantic.Field(None, ge=1, le=4_000, description='at most')
    subnetwork: str | None = pydantic.Field(
        None, min_length=1, description='regions/REGION/subnetworks/NAME'
    )
    public_ips: bool = pydantic.Field(True, description='the workers have public addresses')

    _project = pydantic.field_validator('project')(_matches(_PROJECT, 'the ID of a project'))
    _region = pydantic.field_validator('region')(_matches(_REGION, 'a region as europe-west4'))
    _folders = pydantic.field_validator('temp_location', 'staging_location')(
        _matches(_FOLDER, 'gs://BUCKET/FOLDER')
    )

    @pydantic.model_validator(mode='after')
    def _workers_fit(self) -> DataflowSettings:
        if self.workers and self.max_workers and self.workers > self.max_workers:
            raise ConfigError(
                f'beam.dataflow.workers: expected no more than max_workers, {self.max_workers}, '
                f'got {self.workers}',
                hint='raise beam.dataflow.max_workers, or lower beam.dataflow.workers',
            )
        return self

    def missing(self) -> tuple[str, ...]:
        """List the settings without which this cannot be used."""
        return _unset(self, 'project', 'region', 'temp_location', 'sdk_container_image')


def _unset(settings: Settings, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(settings, name) is None)


class BeamSettings(Settings):
    """The runner of ExampleGen, StatisticsGen, Transform and Evaluator."""

    runner: RunnerName = pydantic.Field('direct', description='which of the following counts')
    direct: DirectSettings = DirectSettings()
    portable: PortableSettings = PortableSettings()
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings = SparkSettings()
    dataflow: DataflowSettings = DataflowSettings()
    args: tuple[str, ...] = pydantic.Field(
        (), description="further options of Beam's, for those who know them: ['--NAME=VALUE']"
    )

    def texts(self) -> dict[str, str]:
        """Return all that is said with words, by name."""
        found = {f'beam.args.{index}': arg for index, arg in enumerate(self.args)}
        for name, of_runner in self:
            if isinstance(of_runner, Settings):
                found |= {f'beam.{name}.{key}': v for key, v in of_runner if isinstance(v, str)}
        return found

    @property
    def service(self) -> PortableSettings | None:
        """What speaks Beam's job API, if the runner is one of these."""
        chosen = getattr(self, self.runner)
        return chosen if isinstance(chosen, PortableSettings) else None

    @pydantic.field_validator('args')
    @classmethod
    def _are_options(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        for arg in args:
            name = arg.partition('=')[0]
            if not re.fullmatch(r'--[A-Za-z][\w-]*', name):
                raise ValueError(f"expected options of Beam's as --NAME=VALUE, one each: {arg!r}")
            if _CREDENTIAL.search(name):
                # They are shown, kept with each run, and part of a compiled pipeline.
                raise ConfigError(
                    f'beam.args: expected no credentials, got {name}=***',
                    hint='give the workers credentials by their environment or service account',
                )
        return args

    @pydantic.model_validator(mode='after')
    def _complete(self) -> BeamSettings:
        chosen = getattr(self, self.runner)
        for name in () if isinstance(chosen, DirectSettings) else chosen.missing():
            raise ConfigError(
                f'the runner {self.runner} needs beam.{self.runner}.{name}, which was not given',
                hint=f'say --set beam.{self.runner}.{name}=VALUE',
            )
        self._require_environment()
        return self

    def _require_environment(self) -> None:
        """Check that the workers' environment is named, with what it needs and no more."""
        service = self.service
        if service is None:
            return
        name = f'beam.{self.runner}.environment'
        if service.environment is None:
            raise ConfigError(
                f'the runner {self.runner} needs {name}, which was not given',
                hint='it is LOOPBACK, EXTERNAL, DOCKER or PROCESS; '
                'EXTERNAL needs environment_config=HOST:PORT, DOCKER =IMAGE, PROCESS =PROGRAM',
            )
        config = service.environment_config
        if service.environment == 'LOOPBACK':
            if config is not None:
                raise ConfigError(
                    f'{name}_config: LOOPBACK takes none, got {config!r}', hint='leave it out'
                )
            return
        expected = {'EXTERNAL': 'HOST:PORT', 'DOCKER': 'IMAGE', 'PROCESS': 'PROGRAM'}
        if config is None:
            raise ConfigError(
                f'{name}: {service.environment} needs {name}_config, which was not given',
                hint=f'say --set {name}_config={expected[service.environment]}',
            )
        if service.environment == 'EXTERNAL' and not _ENDPOINT.fullmatch(config):
            if '@' in config:
                _refuse_user(f'{name}_config', config)
            raise ConfigError(f'{name}_config: expected HOST:PORT of the workers, got {config!r}')
