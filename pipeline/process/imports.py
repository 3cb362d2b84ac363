"""Imports of large frameworks without garbage collection."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Disable garbage collection while the block imports modules, and exempt them from it.

    Modules are never garbage, but each collection visits all of them. That takes two
    fifths of the CPU time of importing TFX, and more in each node and at the exit.

    Example:
        with no_collection():
            import tfx
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
