"""Fixtures of `make torture`, which collects the results of its tests in a table."""

from __future__ import annotations

import pathlib
import time
from typing import Protocol

import pytest

from tests.torture.table import Row, markdown, save

_STARTED = pytest.StashKey[float]()
_ROWS = pytest.StashKey[list[Row]]()


class Tally(Protocol):
    """Adds to the table."""

    def __call__(self, *, fault: str, runs: int, faults: int, losses: int) -> None:
        """Add a row, see `Row`; rows of the same fault are added up."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--results', type=pathlib.Path, metavar='FILE', help='File for the results.')


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STARTED] = time.monotonic()
    config.stash[_ROWS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker('torture')


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash[_ROWS]
    if not rows:
        return
    terminalreporter.section('torture')
    terminalreporter.write_line(markdown(rows))
    path: pathlib.Path | None = config.getoption('--results', None)
    if path is not None:
        failed = sum(len(terminalreporter.getreports(kind)) for kind in ('failed', 'error'))
        save(rows, path, seconds=time.monotonic() - config.stash[_STARTED], failed=failed)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Return a function that records the runs, faults and losses of a test."""

    def add_row(*, fault: str, runs: int, faults: int, losses: int) -> None:
        request.config.stash[_ROWS].append(Row(fault, runs, faults, losses))

    return add_row
