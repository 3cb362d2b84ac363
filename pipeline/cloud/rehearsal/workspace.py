"""The folder that rehearsals write to, and the sample data that they use by default."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import pathlib

from components.common.atomic_write import atomic_write
from components.common.errors import ComponentError, DataError
from pipeline.cloud.targets import Target
from pipeline.store.run_ids import new_run_id

# Object stores that the launcher of Kubeflow knows, in addition to gs://.
SCHEMES = ('minio', 's3')

_SAMPLE = pathlib.Path(__file__).resolve().parents[3] / 'data' / 'sample' / 'reviews.csv'
_SAMPLE_ROWS = 1_200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workspace:
    """Paths of the rehearsals of one target, kept from one rehearsal to the next.

    Attributes:
        root: The folder that the user chose, absolute.
        target: The service that is played.

    Example:
        >>> workspace = Workspace(root=pathlib.Path('/tmp/r'), target='vertex')
        >>> str(workspace.serving_dir('sentiment'))
        '/tmp/r/vertex/serving/sentiment'
    """

    root: pathlib.Path
    target: Target

    @property
    def folder(self) -> pathlib.Path:
        """Folder of this target."""
        return self.root / self.target

    @property
    def bucket(self) -> pathlib.Path:
        """Folder that stands for the bucket that steps on Vertex write to."""
        return self.folder / 'artifacts'

    @property
    def pipeline_root(self) -> str:
        """Pipeline root to compile with."""
        # The default of Kubeflow Pipelines.
        kubeflow = 'minio://mlpipeline/v2/artifacts'
        return kubeflow if self.target == 'kubeflow' else str(self.bucket)

    def find(self, uri: str) -> pathlib.Path:
        """Return where the files of an artifact are on this machine.

        Raises:
            ComponentError: If the launcher of Kubeflow has no folder for the URI.
        """
        if self.target == 'vertex':
            return pathlib.Path(uri)
        return self.folder / 'objects' / local_path(uri)

    def cache(self, pipeline: str) -> pathlib.Path:
        """Return the folder of the cached outputs of a pipeline."""
        return self.folder / 'cache' / pipeline

    def serving_dir(self, pipeline: str) -> pathlib.Path:
        """Return the folder that a pipeline pushes its versions to."""
        return self.folder / 'serving' / pipeline

    def log(self, run_id: str, step: str) -> pathlib.Path:
        """Return the log of a step of a run."""
        return self.folder / 'logs' / run_id / f'{step}.log'

    def step_folder(self, run_id: str, step: str) -> pathlib.Path:
        """Return the folder for the files of one execution of a step."""
        return self.folder / 'steps' / run_id / step

    def start_run(self) -> str:
        """Return a new run id, and create the folder of the run's logs.

        Raises:
            ConfigError: If the root cannot be written to.
        """
        return new_run_id(self.root, lambda run_id: self.log(run_id, '').parent.mkdir(parents=True))


def local_path(uri: str) -> str:
    """Return the path of a URI in a step's container on Kubeflow, relative to `/`.

    >>> local_path('minio://mlpipeline/v2/artifacts')
    'minio/mlpipeline/v2/artifacts'

    Raises:
        ComponentError: If the launcher has no folder for the scheme.
    """
    scheme, _, path = uri.partition('://')
    if scheme not in SCHEMES or not path:
        raise ComponentError(
            f'failed to generate local path for URI {uri}: unsupported storage scheme',
            hint='let the step write its artifacts to the minio:// or s3:// URIs that it is given',
        )
    return f'{scheme}/{path}'


def cut_sample(folder: pathlib.Path, *, rows: int = _SAMPLE_ROWS) -> pathlib.Path:
    """Write the first rows of the sample data to a folder, and return the file.

    A file with the same content is left as it is, because its modification time
    is part of ExampleGen's cache key.

    Raises:
        DataError: If the sample data cannot be read.
    """
    path = folder / _SAMPLE.name
    written = io.StringIO()
    try:
        with _SAMPLE.open(encoding='utf-8', newline='') as file:
            rows_read = itertools.islice(csv.reader(file), rows + 1)
            csv.writer(written, lineterminator='\n').writerows(rows_read)
    except OSError as err:
        raise DataError(
            f'the sample data cannot be read: {err}', hint='name other data with --data PATH'
        ) from err
    content = written.getvalue().encode()
    if not path.is_file() or path.read_bytes() != content:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    return path
