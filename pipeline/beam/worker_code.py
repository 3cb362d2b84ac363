"""How processes that Beam starts as workers on this machine find this project's code."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from pipeline.settings.beam import BeamSettings

_CODE = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def workers_find_code(beam: BeamSettings) -> Iterator[None]:
    """Have processes that Beam starts as workers on this machine find this project's code.

    They know the folder that the run was started in, which may be any.
    """
    if beam.runner != 'direct' or beam.direct.running_mode != 'multi_processing':
        yield
        return
    before = os.environ.get('PYTHONPATH')
    os.environ['PYTHONPATH'] = os.pathsep.join([str(_CODE), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ['PYTHONPATH']
        else:
            os.environ['PYTHONPATH'] = before
