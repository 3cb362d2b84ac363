"""Imports of large frameworks without garbage collection."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Spare the garbage collector the modules that are imported in the block.

    They are never garbage, but it looks through all of them again and again:
    two fifths of the CPU time of importing TFX, some more in each node, and at
    the exit.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
