"""Where Beam workers on this machine find the code of this project."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

_CODE = pathlib.Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def code_on_worker_path() -> Iterator[None]:
    """Add this project to the PYTHONPATH of processes that Beam starts as workers.

    Without it they would only find the code if the run was started in its folder.
    """
    before = os.environ.get('PYTHONPATH')
    os.environ['PYTHONPATH'] = os.pathsep.join([str(_CODE), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ['PYTHONPATH']
        else:
            os.environ['PYTHONPATH'] = before
