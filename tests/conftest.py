"""What all tests share: where the data is, and how a command is run."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from components.common.secrets import secret_scope
from pipeline.beam.arguments import beam_args
from pipeline.settings.beam import BeamSettings

REPO = pathlib.Path(__file__).resolve().parent.parent
SAMPLE = REPO / 'data' / 'sample'
_ARCHIVE = 'aclImdb_v1.tar.gz'
# In the order of execution.
NODES = (
    'ExampleGen',
    'SchemaGen',
    'StatisticsGen',
    'ExampleValidator',
    'Transform',
    'Trainer',
    'BaselineResolver',
    'Evaluator',
    'Pusher',
)
_NO_ARCHIVE = (
    'needs the IMDB archive: set IMDB_ARCHIVE, or get it with `pipeline_runner.py fetch imdb`'
)
# What a run passes to the nodes on Beam unless it is told otherwise.
LOCAL_BEAM_ARGS = list(beam_args(BeamSettings()))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--imdb', action='store_true', help='Fail where the IMDB archive is absent, at once.'
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption('--imdb') and find_imdb_archive() is None:
        raise pytest.UsageError(_NO_ARCHIVE)


@pytest.fixture(autouse=True)
def _secret_scope() -> Iterator[None]:
    with secret_scope():
        yield


class Finished(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)

    def states(self) -> dict[str, str]:
        """State of each node, by id."""
        return {node['id']: node['state'] for node in self.json['nodes']}


def run_command(
    *args: str, cwd: pathlib.Path, repo: pathlib.Path = REPO, stdin: str = ''
) -> Finished:
    """Run pipeline_runner.py of a checkout in `cwd`, as a person would."""
    done = subprocess.run(
        [sys.executable, str(repo / 'pipeline_runner.py'), *args],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={**os.environ, 'COLUMNS': '120'},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def snapshot(folder: pathlib.Path) -> dict[str, str]:
    """Hash of every file below a folder, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
        if path.is_file()
    }


def find_imdb_archive() -> pathlib.Path | None:
    """Return the official archive, if this machine has it."""
    named = os.environ.get('IMDB_ARCHIVE')
    candidates = [REPO / _ARCHIVE, REPO.parent / 'shared' / 'data' / _ARCHIVE]
    # An engine takes a path that is not absolute for the name of a volume.
    paths = [pathlib.Path(os.path.abspath(named))] if named else candidates
    return next((path for path in paths if path.is_file()), None)


@pytest.fixture(scope='session')
def imdb_archive() -> pathlib.Path:
    """Return the official archive; skip where it is absent."""
    path = find_imdb_archive()
    if path is None:
        pytest.skip(_NO_ARCHIVE)
    return path


@pytest.fixture
def short_rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the readers take a row of more than 40 characters for too long."""
    limit = csv.field_size_limit()
    monkeypatch.setattr('components.readers.lines.MAX_ROW_CHARACTERS', 40)
    yield
    # The reader has set it for the whole process.
    csv.field_size_limit(limit)
