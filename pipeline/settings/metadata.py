"""Settings of the metadata store."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import Annotated, Literal

import pydantic

from components.common.errors import ConfigError
from components.common.settings import Settings

_HOST = re.compile(r'[\w.:-]+')

PASSWORD_VARIABLE = 'METADATA_PASSWORD'


# Absolute: a later command reads the settings from a run record, maybe in another folder.
_Path = Annotated[str, pydantic.Field(min_length=1), pydantic.AfterValidator(os.path.abspath)]


class TlsSettings(Settings):
    """Encryption of the connection to a MySQL server. Without `ca`, nothing is encrypted."""

    ca: _Path | None = pydantic.Field(
        None, description='PEM file with the certificates of the trusted authorities'
    )
    cert: _Path | None = pydantic.Field(
        None, description='file with the client certificate, if the server requires one'
    )
    key: _Path | None = pydantic.Field(
        None, description='file with the private key of the client certificate'
    )

    @pydantic.model_validator(mode='after')
    def _go_together(self) -> TlsSettings:
        if (self.cert is None) != (self.key is None):
            raise ValueError('expected both cert and key, or neither')
        if self.cert is not None and self.ca is None:
            raise ValueError('a client certificate also needs ca')
        return self


class MetadataSettings(Settings):
    """The ML Metadata store of local runs: a file below the root, or a database on a server."""

    backend: Literal['sqlite', 'mysql'] = pydantic.Field(
        'sqlite',
        description='sqlite: a file below root; mysql: a MySQL server that several roots can share',
    )
    host: str | None = pydantic.Field(None, description='host name of the MySQL server')
    port: int = pydantic.Field(3306, ge=1, le=65_535, description='port of the MySQL server')
    socket: _Path | None = pydantic.Field(
        None, description='Unix socket of a MySQL server on this machine, instead of host'
    )
    # ML Metadata inserts it into its SQL statements without quotes.
    database: str | None = pydantic.Field(
        None, pattern=r'^[A-Za-z0-9_]{1,64}$', description='database on the MySQL server'
    )
    user: str | None = pydantic.Field(
        None, pattern=r'^[^\x00-\x1f]{1,80}$', description='account on the MySQL server'
    )
    password_file: _Path | None = pydantic.Field(
        None,
        description='file that contains only the password; null: environment variable '
        f'{PASSWORD_VARIABLE}',
    )
    tls: TlsSettings = TlsSettings()

    @pydantic.field_validator('host')
    @classmethod
    def _is_a_host(cls, host: str | None) -> str | None:
        if host is not None and '@' in host:
            # Other errors quote the value, which may contain a password here.
            raise ConfigError(
                'metadata.host: expected the name of a machine, without a user or password',
                hint=f'set the user in metadata.user, and the password in {PASSWORD_VARIABLE}',
            )
        if host is not None and not _HOST.fullmatch(host):
            raise ValueError('expected the name or address of a machine')
        try:
            (host or 'localhost').encode('idna')  # as Python does to find it
        except UnicodeError:
            raise ValueError('expected 1 to 63 characters before and after each dot') from None
        return host

    @pydantic.model_validator(mode='after')
    def _complete(self) -> MetadataSettings:
        given = self.model_dump(exclude_defaults=True)
        if self.backend == 'sqlite':
            given.pop('backend', None)
            if given:
                raise ValueError(f'{min(given)} applies only to the backend mysql')
            return self
        if (self.host is None) == (self.socket is None):
            raise ValueError('the backend mysql needs host or socket, and not both')
        for name in ('database', 'user'):
            if getattr(self, name) is None:
                raise ValueError(f'the backend mysql needs {name}')
        if self.socket is not None and self.tls.ca is not None:
            raise ValueError('tls is for a host; a socket needs no encryption')
        return self

    @property
    def where(self) -> str:
        """Description of the store for messages."""
        if self.backend == 'sqlite':
            return 'the file below the root'
        place = self.socket or f'{self.host}:{self.port}'
        return f'the MySQL database {self.database} at {place}'

    def flags(self) -> str:
        """Return the command line options for these settings."""
        given = self.model_dump(exclude_defaults=True)
        tls = given.pop('tls', {})
        pairs = {**given, **{f'tls.{name}': value for name, value in tls.items()}}
        # Values are read as YAML, in which a plain `no` is not a text; JSON quotes it.
        return ' '.join(
            f'--set {shlex.quote(f"metadata.{name}={json.dumps(value, ensure_ascii=False)}")}'
            for name, value in pairs.items()
        )
