"""Faster imports of large frameworks."""

from __future__ import annotations

import contextlib
import gc
import sys
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


@contextlib.contextmanager
def no_keras() -> Iterator[None]:
    """Let TensorFlow do without Keras while the block imports it.

    TensorFlow imports Keras at its end, which takes a third of the CPU time, and ignores it
    if it is missing. A SavedModel is loaded without it. Afterwards, Keras can be imported.

    Example:
        with no_keras():
            import tensorflow
    """
    if 'keras' in sys.modules:
        yield
        return
    # Python takes a module that is None for a missing one.
    sys.modules['keras'] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules['keras']
