"""This checkout on the newer stack in a new Debian 13, set up and run as README says."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.conftest import REPO, find_imdb_archive
from tests.containers.debian import pack_checkout, run_on_debian
from tests.containers.engine import Engine, EngineError

_ALL = 'make chromium mariadb test run'
# Whole runs, models that must not be pushed, and the versions that stay live.
_GATE = (
    'make --no-print-directory dev && .venv/bin/python -m pytest --numprocesses ${WORKERS:-2}'
    ' --dist loadfile tests/pipeline_runner tests/test_lifecycle.py'
    ' tests/components/evaluator/test_attacks.py'
)


@pytest.fixture(scope='module')
def checkout(engine: Engine) -> pathlib.Path:
    """Return the packed files of this checkout."""
    packed = engine.folder / 'checkout.tar'
    pack_checkout(REPO, packed)
    return packed


@pytest.mark.containers
def test_gate_holds_when_the_stack_is_the_newer_one(engine: Engine, checkout: pathlib.Path) -> None:
    run(_GATE, engine, checkout)


@pytest.mark.current
def test_all_tests_and_a_run_pass_when_the_stack_is_the_newer_one(
    engine: Engine, checkout: pathlib.Path
) -> None:
    run(os.environ.get('COMMAND') or _ALL, engine, checkout, find_imdb_archive())


def run(
    command: str, engine: Engine, checkout: pathlib.Path, archive: pathlib.Path | None = None
) -> None:
    failure = ''
    try:
        run_on_debian(engine, command, checkout=checkout, archive=archive)
    except EngineError as err:
        failure = str(err)
    if failure:
        # The output above says why.
        pytest.fail(failure, pytrace=False)
