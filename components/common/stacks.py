"""The differences between the stacks that this code runs on.

A stack is a version of TFX and the packages locked with it. Code that is the same
on all stacks needs no entry here; an entry is removed with the last stack that
needs it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

# By TFX's minor version, the Python that its lock is for: 1.16 has no wheels for a newer one,
# and 1.21's lock has to be for some one. `requirements/stacks.py` chooses, before anything is
# installed, and is no part of what is installed.
PYTHONS = {'1.16': '3.10', '1.21': '3.11'}


@contextlib.contextmanager
def quiet_google_imports() -> Iterator[None]:
    """Have Google's clients not say, each at its import, that Python 3.10 has no future.

    Who runs TFX 1.16 cannot have a newer one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', FutureWarning)
        yield
