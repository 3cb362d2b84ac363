"""A folder as an object store, and what Kubeflow's launcher does with it.

Kubeflow mounts no bucket. Its launcher copies the inputs of a step, and nothing
else, to a path in the step's container, and what the step left at the paths of
its outputs back to the store.
"""

from __future__ import annotations

import pathlib
import re
import shutil

from components.common.errors import ComponentError

SCHEMES = ('minio', 's3')

_URI = re.compile(rf'(?P<scheme>{"|".join(SCHEMES)})://(?P<path>.+)')


class ObjectStore:
    """Keeps the objects of `minio://BUCKET/KEY` below a folder.

    Args:
        folder: Where; it is made when it is needed.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def path(self, uri: str) -> pathlib.Path:
        """Return where the objects of a URI are kept."""
        return self._folder / local_path(uri)

    def download(self, uri: str, mounts: pathlib.Path) -> None:
        """Copy the objects below `uri` to where a step finds them; none is no error."""
        source = self.path(uri)
        target = mounts / local_path(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copyfile(source, target)

    def upload(self, uri: str, mounts: pathlib.Path) -> None:
        """Copy what a step left for `uri` into the store; nothing is no error."""
        source = mounts / local_path(uri)
        target = self.path(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copyfile(source, target)


def local_path(uri: str) -> str:
    """Return where a step finds a URI, below its mounts.

    >>> local_path('minio://mlpipeline/v2/artifacts')
    'minio/mlpipeline/v2/artifacts'

    Raises:
        ComponentError: If it is no URI of an object store that is mounted.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise ComponentError(
            f'failed to generate local path for URI {uri}: unsupported storage scheme',
            hint='on Kubeflow an artifact is at minio:// or s3://, also in what a step reports',
        )
    return f'{match["scheme"]}/{match["path"]}'
