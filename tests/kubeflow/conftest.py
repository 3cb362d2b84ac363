"""Fixtures: the cluster, and a project whose pipeline runs on it.

The runs build on each other, as on a cluster: the model that one pushes is the baseline of the
next. Each is a fixture, so that the order of the tests does not matter.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest

from tests.kubeflow.cluster import Cluster, start_cluster
from tests.kubeflow.project import MINIO_ROOT, Project, Submitted

OTHER_MODEL = ('--param', 'svm_cost=0.5', '--param', 'max_accuracy_drop=0.5')


@pytest.fixture(scope='session')
def volume(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the folder of the claim."""
    return tmp_path_factory.mktemp('volume')


@pytest.fixture(scope='session')
def cluster(tmp_path_factory: pytest.TempPathFactory, volume: pathlib.Path) -> Iterator[Cluster]:
    """Start the cluster; skip the tests outside of `make kubeflow`."""
    if 'KFP_PROGRAMS' not in os.environ:
        pytest.skip('needs the code of Kubeflow Pipelines: run make kubeflow')
    with start_cluster(tmp_path_factory.mktemp('cluster'), {'reviews': volume}) as started:
        yield started


@pytest.fixture(scope='session')
def project(
    tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, volume: pathlib.Path
) -> Project:
    return Project(tmp_path_factory.mktemp('project'), cluster, volume)


@pytest.fixture(scope='session')
def pushed(project: Project) -> Submitted:
    """The first run: there is no served model."""
    return project.submit()


@pytest.fixture(scope='session')
def repeated(project: Project, pushed: Submitted) -> Submitted:
    """A run with equal data and parameters."""
    return project.submit()


@pytest.fixture(scope='session')
def refused(project: Project, repeated: Submitted) -> Submitted:
    """A run with another model, which the gate refuses."""
    return project.submit('--param', 'svm_cost=0.5', '--param', 'min_accuracy=0.99')


@pytest.fixture(scope='session')
def trained_again(project: Project, refused: Submitted) -> Submitted:
    """A run that trains the other model again, and pushes it."""
    names = ('--experiment', 'tests', '--run-name', 'trained again')
    return project.submit('--again', 'Trainer', *names, *OTHER_MODEL)


@pytest.fixture(scope='session')
def withdrawn(project: Project, trained_again: Submitted) -> Submitted:
    """A run with the model that a rollback has withdrawn."""
    project.roll_back()
    return project.submit(*OTHER_MODEL)


@pytest.fixture(scope='session')
def in_minio(project: Project, withdrawn: Submitted) -> Submitted:
    """A run with another root, whose artifacts KFP's launcher copies."""
    return project.submit('--no-cache', '--pipeline-root', MINIO_ROOT)


@pytest.fixture(scope='session')
def failed(project: Project, in_minio: Submitted) -> Submitted:
    """A run whose data does not exist."""
    return project.submit('--param', 'data_folder=/mnt/reviews/nowhere')
