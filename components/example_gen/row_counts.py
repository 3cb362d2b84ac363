"""Nothing that was read is lost on the way into the artifact, and nothing comes twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components.common.errors import ComponentError
from components.readers.files import published_files, sizes_of

_HINT = 'a worker died, or files were changed meanwhile: run the same command again'


class Published(NamedTuple):
    """What came of all bundles, as JSON holds it.

    Attributes:
        counts: First and second part of what is counted, and how often it was
            met: see `workers.Found`.
        fatal: Messages and hints about files that cannot be read at all.
        files: How many files were read.
        rows: How many texts and rejected rows the readers gave.
        left_out: How many of them are texts without a label that nobody wants.
        sizes: By path in the artifact, the bytes that were written.
    """

    counts: Sequence[tuple[str, str, int]]
    fatal: Sequence[tuple[str, str]]
    files: int
    rows: int
    left_out: int
    sizes: Mapping[str, int]


def require_all(published: Published, *, files: int, uri: str) -> None:
    """Check that what was read is what is in the artifact.

    The files' sizes are compared, not their records counted: that would be to
    read all data once more.

    Args:
        published: What the workers say.
        files: How many files there are to read.
        uri: Of the Examples artifact.

    Raises:
        ComponentError: If not.
    """
    if published.files != files:
        raise _differ('files', files, published.files)
    written = sum(count for *_, count in published.counts) + published.left_out
    if written != published.rows:
        raise _differ('rows to be examples or rejects', published.rows, written)
    paths = published_files(uri)
    found = dict(zip(paths, sizes_of(paths)))
    for path in sorted(found.keys() | published.sizes.keys()):
        if found.get(path) != published.sizes.get(path):
            told, came = published.sizes.get(path, 'no'), found.get(path, 'none')
            raise _differ(f'bytes in {path}', told, came)


def _differ(what: str, expected: object, came: object) -> ComponentError:
    return ComponentError(f'ExampleGen: expected {expected} {what}, got {came}', hint=_HINT)
