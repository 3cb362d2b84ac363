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

import tensorflow as tf

from components.common.errors import ComponentError

# Beside what is finished, and so on the same file system; who starts the work removes it.
UNFINISHED = '.unfinished'


def unfinished_beside(path: str) -> str:
    """Return a folder for what is to become a file, beside it."""
    return posixpath.join(posixpath.dirname(path), UNFINISHED)


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
        tf.io.gfile.makedirs(folder)
    part = posixpath.join(unfinished, uuid.uuid4().hex)
    yield part
    tf.io.gfile.rename(part, path, overwrite=True)


def write_whole(path: str, content: bytes, unfinished: str) -> None:
    """Write a file of that content; see `whole_file`."""
    with whole_file(path, unfinished) as part, tf.io.gfile.GFile(part, 'wb') as file:
        file.write(content)


def clear_unfinished(unfinished: str, node: str) -> None:
    """Remove the folder, and what attempts that died have left in it.

    Args:
        unfinished: The folder that workers wrote to.
        node: Whose workers, for messages.

    Raises:
        ComponentError: If it is not there, so that what they wrote is somewhere else.
    """
    if not tf.io.gfile.exists(unfinished):
        raise nothing_written(posixpath.dirname(unfinished), node)
    tf.io.gfile.rmtree(unfinished)


def nothing_written(folder: str, node: str) -> ComponentError:
    """Return the error that says so of the workers of a node."""
    return ComponentError(
        f'{node}: expected what the workers wrote below {folder}, got nothing',
        hint='they must see the data and the artifacts under the same paths as this run',
    )
