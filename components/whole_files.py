"""Files that are there as a whole, or not at all.

A runner of Beam's may try a piece of work again, also while the first attempt
is still at it. Each attempt writes a file of its own; the one that is done
gives it the name that counts.
"""

from __future__ import annotations

import contextlib
import posixpath
import uuid
from collections.abc import Iterator

from tfx.dsl.io import fileio

# Beside what is finished, and so on the same file system; who starts the work removes it.
UNFINISHED = '.unfinished'


@contextlib.contextmanager
def whole_file(path: str, unfinished: str) -> Iterator[str]:
    """Have a file written under a name of its own, and give it `path` at the end of the block.

    Args:
        path: On a disk or in an object store; a file that is there is replaced.
        unfinished: A folder on the same file system, made if it is not there.

    Yields:
        The path to write to.
    """
    for folder in (unfinished, posixpath.dirname(path)):
        fileio.makedirs(folder)
    part = posixpath.join(unfinished, uuid.uuid4().hex)
    yield part
    fileio.rename(part, path, overwrite=True)


def write_whole(path: str, content: bytes, unfinished: str) -> None:
    """Write a file of that content; see `whole_file`."""
    with whole_file(path, unfinished) as part, fileio.open(part, 'wb') as file:
        file.write(content)
