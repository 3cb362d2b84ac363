"""A user's project: settings, data on a volume, and the commands of this project."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import time

import yaml

from pipeline.cloud.rehearsal.workspace import cut_sample
from tests.conftest import Finished, run_command, snapshot
from tests.kubeflow.build import say
from tests.kubeflow.cluster import API, Cluster, PlayedRun

MOUNT = '/mnt/reviews'
# The client can read a bucket of Google, and no MinIO.
BUCKET_ROOT = 'gs://bucket/runs'
MINIO_ROOT = 'minio://mlpipeline/v2/artifacts'
POD = {
    'all': {
        'image_pull_secrets': ['registry'],
        'labels': {'team': 'reviews'},
        'annotations': {'example.com/owner': 'team reviews'},
        'env': {'PLAIN': 'value'},
        'secret_env': {'AWS_SECRET_ACCESS_KEY': 'minio/secret_key'},
        'secret_files': {'/etc/bucket': 'bucket'},
    },
    'Trainer': {
        'labels': {'step': 'trainer'},
        'node_selector': {'cloud.google.com/gke-accelerator': 'nvidia-tesla-t4'},
        'tolerations': [{'key': 'nvidia.com/gpu', 'operator': 'Exists', 'effect': 'NoSchedule'}],
    },
}
_ROWS = 600
_RUN_URL = re.compile(r'/runs/details/(\S+)')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submitted:
    """A run that `submit --wait` has started.

    Attributes:
        finished: The command.
        run: What the cluster did.
        served_before: The served files before it, by path.
        served: The served files after it, by path.
    """

    finished: Finished
    run: PlayedRun
    served_before: dict[str, str]
    served: dict[str, str]

    @property
    def versions(self) -> list[str]:
        """The pushed versions, sorted."""
        return sorted({path.partition('/')[0] for path in self.served if path[0].isdigit()})


class Project:
    """Runs commands in a folder with a settings file.

    Args:
        folder: The folder.
        cluster: The cluster.
        volume: Folder of the claim `reviews`.
    """

    def __init__(self, folder: pathlib.Path, cluster: Cluster, volume: pathlib.Path) -> None:
        self._folder = folder
        self._cluster = cluster
        self._serving_dir = volume / 'models' / 'sentiment'
        cut_sample(volume / 'data', rows=_ROWS)
        settings = {
            'data': {'path': f'{MOUNT}/data/*.csv'},
            'serving_dir': f'{MOUNT}/models/sentiment',
            'cloud': {
                'image': 'registry.example.com/team/reviews:1',
                'pipeline_root': BUCKET_ROOT,
                'volumes': {MOUNT: 'reviews'},
                'resources': {'Trainer': {'cpu': 4, 'accelerator': 'nvidia.com/gpu'}},
                'pod': POD,
            },
        }
        (folder / 'kubeflow.yaml').write_text(yaml.safe_dump(settings))

    def command(self, name: str, *options: str) -> Finished:
        """Run a command on the API, with the settings file."""
        return self.service_command(*name.split(), '--config', 'kubeflow.yaml', *options)

    def service_command(self, *words: str) -> Finished:
        """Run a command on the API, which needs no settings."""
        service = ('--target', 'kubeflow', '--host', API)
        return run_command(*words, *service, cwd=self._folder)

    def submit(self, *options: str) -> Submitted:
        """Start a run, and wait for its end."""
        started = time.monotonic()
        served_before = snapshot(self._serving_dir)
        say(f'submit --wait {" ".join(options)}')
        finished = self.command('submit', '--wait', '--poll', '1', *options)
        run_id = run_id_of(finished)
        say(f'submit ended with {finished.code} after {time.monotonic() - started:.0f} s')
        print(finished.err)
        run = self._cluster.wait_for(run_id)
        return Submitted(
            finished=finished,
            run=run,
            served_before=served_before,
            served=snapshot(self._serving_dir),
        )

    def roll_back(self) -> None:
        """Withdraw the live version."""
        options = ('--serving-dir', str(self._serving_dir))
        finished = run_command('models', 'rollback', *options, cwd=self._folder)
        assert finished.code == 0, finished.err


def run_id_of(finished: Finished) -> str:
    """Return the id of the run whose address a command has printed."""
    found = _RUN_URL.search(finished.out)
    assert found, finished.err
    return found[1]
