"""Fixtures: a container engine, and the image."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.conftest import REPO
from tests.containers.base_image import provide_base_image
from tests.containers.engine import IMAGE, Engine, prepare_engine, say


@pytest.fixture(scope='session')
def engine() -> Iterator[Engine]:
    """Yield an engine with the base image, which ends with all that runs in it."""
    # `timeout` and a service send SIGTERM. As Ctrl-C, it then ends the fixtures, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with prepare_engine() as found:
        provide_base_image(found)
        yield found


@pytest.fixture(scope='session')
def image(engine: Engine) -> str:
    """Build the image with make, and return its name."""
    say('make image: some minutes')
    engine.run_visibly('make', '--no-print-directory', 'image', f'IMAGE={IMAGE}', cwd=REPO)
    return IMAGE
