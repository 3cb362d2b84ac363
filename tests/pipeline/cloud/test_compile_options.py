from __future__ import annotations

import pathlib

import pytest

from tests.conftest import call_command
from tests.pipeline.cloud import golden

OPTIONS = [part for option in golden.OPTIONS.items() for part in option]


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        (('--target', 'airflow'), "'airflow' is not one of"),
        ((), '--target'),
        (('--target', 'vertex', '--data', 'reviews.csv'), 'cannot reach paths on this machine'),
        (('--target', 'vertex', '--image', ':latest'), 'the name of an image'),
        (
            ('--target', 'vertex', '--set', 'cloud.resources.Trainer.cpus=2'),
            'did you mean cloud.resources.NODE.cpu?',
        ),
        (('--target', 'vertex', '--set', 'cloud.resources.Tuner.cpu=2'), 'expected one of'),
        (
            ('--target', 'vertex', '--set', 'cloud.resources.Trainer.accelerator_count=2'),
            'expected a type of accelerator',
        ),
        (('--target', 'vertex', '--beam-runner', 'nosuch'), 'Unexpected pipeline runner: nosuch'),
        (
            ('--target', 'kubeflow', '--set', 'cloud.volumes={"models": "CLAIM_1"}'),
            'the name of a PersistentVolumeClaim',
        ),
    ],
)
def test_options_are_refused_when_one_is_wrong(
    args: tuple[str, ...], words: str, tmp_path: pathlib.Path
) -> None:
    done = call_command('compile', *OPTIONS, *args, cwd=tmp_path)
    assert (done.code, done.out) == (2, '')
    assert words in done.err
