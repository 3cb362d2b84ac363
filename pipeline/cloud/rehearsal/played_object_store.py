"""Plays the object store of Kubeflow Pipelines, and the launcher's copies to and from it.

Kubeflow mounts no bucket. The launcher copies the inputs of a step to a path in
the step's container, and copies what the step wrote at the paths of its outputs
back to the store (kubeflow/pipelines, backend/src/v2/component/launcher_v2.go).
"""

from __future__ import annotations

import pathlib
import re
import shutil

from components.common.errors import ComponentError

SCHEMES = ('minio', 's3')

_URI = re.compile(rf'(?P<scheme>{"|".join(SCHEMES)})://(?P<path>.+)')


class PlayedObjectStore:
    """Keeps the objects of `minio://BUCKET/KEY` below a folder.

    Args:
        folder: Where the objects are; it is made when it is needed.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def path(self, uri: str) -> pathlib.Path:
        """Return where the objects of a URI are on this machine."""
        return self._folder / local_path(uri)

    def download(self, uri: str, mounts: pathlib.Path) -> None:
        """Copy the objects below `uri` to where the step finds them, if there are any."""
        _copy(self.path(uri), mounts / local_path(uri))

    def upload(self, uri: str, mounts: pathlib.Path) -> None:
        """Copy what a step wrote for `uri` to the store, if it wrote anything."""
        _copy(mounts / local_path(uri), self.path(uri))


def local_path(uri: str) -> str:
    """Return the path of a URI in a step's container, relative to `/`.

    >>> local_path('minio://mlpipeline/v2/artifacts')
    'minio/mlpipeline/v2/artifacts'

    Raises:
        ComponentError: If the launcher has no mount for the scheme.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise ComponentError(
            f'failed to generate local path for URI {uri}: unsupported storage scheme',
            hint='on Kubeflow an artifact is at minio:// or s3://, also in what a step reports',
        )
    return f'{match["scheme"]}/{match["path"]}'


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.is_file():
        shutil.copyfile(source, target)
