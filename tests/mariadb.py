"""Debian's MariaDB, started by the tests on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from pipeline.settings.metadata import MetadataSettings

USER = 'reviews'
# Tests check that no output contains it.
PASSWORD = 'canary-3e8c1f60'
DATABASE = 'reviews'
_PROGRAMS = ('mariadbd', 'mariadb-install-db', 'mariadb', 'my_print_defaults')
_PATH = f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin'
_START_SECONDS = 300.0
# Small, because several servers may run at once.
_SIZES = ('--innodb-buffer-pool-size=32M', '--innodb-log-file-size=8M', '--performance-schema=OFF')


def require_mariadb() -> None:
    """Skip a test where MariaDB is not installed."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing:
        pytest.skip(f'needs MariaDB: no {missing[0]} here; `make mariadb` installs it')


class Server:
    """A server with an account that has all rights on databases named `reviews…`.

    Args:
        folder: Folder for all its files.
        options: Further options of `mariadbd`.
        statements: SQL to execute at the start, as an administrator.
    """

    def __init__(
        self, folder: pathlib.Path, *, options: tuple[str, ...] = (), statements: str = ''
    ) -> None:
        require_mariadb()
        # The path of a socket must be short, and the folders of pytest are long.
        self.socket = f'/tmp/mariadb-{os.getpid()}-{id(self):x}.sock'
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / 'mariadbd.log'
        common = ('--no-defaults', f'--user={getpass.getuser()}', f'--datadir={folder}/data')
        install = ('--auth-root-authentication-method=normal', '--skip-test-db')
        subprocess.run(
            ['mariadb-install-db', *common, *install, '--skip-name-resolve'],
            check=True,
            capture_output=True,
            env={**os.environ, 'PATH': _PATH},
        )
        start_file = folder / 'start.sql'
        start_file.write_text(
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON `reviews%`.* TO {USER}@'%';\n"
            f'CREATE DATABASE IF NOT EXISTS {DATABASE};\n{statements}'
        )
        self._command = [
            shutil.which('mariadbd', path=_PATH) or 'mariadbd',
            *common,
            f'--socket={self.socket}',
            f'--port={self.port}',
            '--bind-address=127.0.0.1',
            '--skip-name-resolve',
            f'--init-file={start_file}',
            f'--pid-file={folder}/pid',
            *_SIZES,
            *options,
        ]
        self.start()

    def start(self) -> None:
        """Start the server, on the same port each time."""
        with open(self._log, 'ab') as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tests; the fixture ends the server.
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._accepts_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = self._log.read_text(errors='replace')[-2_000:]
                self.kill()
                raise RuntimeError(f'MariaDB does not start: {output}')
            time.sleep(0.05)

    def _accepts_connections(self) -> bool:
        # The port opens after the statements of the init file.
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), 1):
            return True
        return False

    def kill(self) -> None:
        """Kill the server, as if its machine had lost power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def execute(self, statement: str, database: str = DATABASE) -> list[list[str]]:
        """Execute a statement as an administrator; return its rows."""
        done = subprocess.run(
            ['mariadb', '--no-defaults', '--user=root', f'--socket={self.socket}', '--batch',
             '--skip-column-names', database, '--execute', statement],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return [line.split('\t') for line in done.stdout.splitlines()]

    def new_database(self, name: str) -> None:
        """Create an empty database; an existing one of this name is dropped."""
        self.execute(f'DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}', 'mysql')

    def settings(self, **others: object) -> MetadataSettings:
        """Return the settings of a store on the server."""
        return MetadataSettings.model_validate({**self.tree(), **others})

    def tree(self, database: str = DATABASE) -> dict[str, object]:
        """Return the settings as a tree, as in a settings file."""
        return {
            'backend': 'mysql',
            'host': '127.0.0.1',
            'port': self.port,
            'database': database,
            'user': USER,
        }

    def flags(self, database: str = DATABASE, **others: object) -> list[str]:
        """Return the settings as options of a command."""
        settings = {**self.tree(database), **others}
        return [f'--set=metadata.{name}={value}' for name, value in settings.items()]


@contextlib.contextmanager
def server(
    folder: pathlib.Path, *, options: tuple[str, ...] = (), statements: str = ''
) -> Iterator[Server]:
    """Run a server for the duration of the block."""
    started = Server(folder, options=options, statements=statements)
    try:
        yield started
    finally:
        started.kill()
        pathlib.Path(started.socket).unlink(missing_ok=True)
        shutil.rmtree(folder / 'data', ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])
