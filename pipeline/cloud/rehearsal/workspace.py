"""The one folder that rehearsals write to, and what is where in it."""

from __future__ import annotations

import dataclasses
import pathlib

from pipeline.cloud.targets import Target
from pipeline.local.run_ids import new_run_id

# Where Kubeflow Pipelines puts artifacts unless told otherwise.
KUBEFLOW_ROOT = 'minio://mlpipeline/v2/artifacts'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workspace:
    """Paths of one target's rehearsals, kept from one to the next.

    Attributes:
        root: The folder, absolute.
        target: Whose service is played.
    """

    root: pathlib.Path
    target: Target

    @property
    def folder(self) -> pathlib.Path:
        """All that is this target's."""
        return self.root / self.target

    @property
    def store(self) -> pathlib.Path:
        """The metadata store."""
        return self.folder / 'metadata.sqlite'

    @property
    def objects(self) -> pathlib.Path:
        """What an object store holds."""
        return self.folder / 'objects'

    @property
    def artifacts(self) -> pathlib.Path:
        """Stands for the bucket of a service that steps reach by themselves."""
        return self.folder / 'artifacts'

    @property
    def pipeline_root(self) -> str:
        """The root of artifacts that the pipeline is compiled with."""
        return KUBEFLOW_ROOT if self.target == 'kubeflow' else str(self.artifacts)

    def serving_dir(self, name: str) -> pathlib.Path:
        """Return where the pipeline of that name pushes its versions."""
        return self.folder / 'serving' / name

    def log(self, run_id: str, step: str) -> pathlib.Path:
        """Return the log of a step of a run."""
        return self.folder / 'logs' / run_id / f'{step}.log'

    def run_log(self, run_id: str) -> pathlib.Path:
        """Return the log of all of a run that is no step."""
        return self.folder / 'logs' / run_id / 'rehearsal.log'

    def step_folder(self, run_id: str, step: str) -> pathlib.Path:
        """Return the folder of one execution of a step."""
        return self.folder / 'steps' / run_id / step

    def new_run(self) -> str:
        """Name a run by the time, and claim the name by making the folder of its logs.

        Raises:
            ConfigError: If nothing can be written here.
        """
        return new_run_id(self.root, lambda run_id: self.run_log(run_id).parent.mkdir(parents=True))
