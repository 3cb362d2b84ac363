"""The differences between the stacks that this code runs on.

A stack is a version of TFX and the packages locked with it. Code that is the same
on all stacks needs no entry here; an entry is removed with the last stack that
needs it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

# The Python version of the lock of each TFX version. TFX 1.16 has no wheels for a newer Python.
# `requirements/stacks.py`, which runs before the installation, chooses the stack.
PYTHONS = {'1.16': '3.10', '1.21': '3.11'}


@contextlib.contextmanager
def quiet_google_imports() -> Iterator[None]:
    """Suppress the warnings of Google's clients that Python 3.10 is near its end of support.

    TFX 1.16 does not run on a newer Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)
        yield
