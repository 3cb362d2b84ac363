"""The next run detects and repairs damaged files of artifacts."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest

from components.common.errors import StoreError
from pipeline.store import artifacts, manifest
from tests.pipeline.store.conftest import Workshop, executed, note_of

NODES_AFTER = {
    'ExampleGen': ['ExampleGen', 'StatisticsGen', 'ExampleValidator', 'Transform', 'Trainer'],
    'Trainer': ['Trainer'],
    'Evaluator': ['Evaluator'],
}


def delete(path: pathlib.Path) -> None:
    path.unlink()


def truncate(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: pathlib.Path) -> None:
    """Change one byte, and nothing that a listing of the folder would show."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ('output', 'pattern', 'damage', 'told'),
    [
        ('ExampleGen/examples', 'Split-val/*.gz', delete, 'was deleted'),
        ('Trainer/model', '**/variables.data*', flip, 'was changed'),
        ('Evaluator/evaluation', 'metrics*', truncate, 'bytes, was written with'),
        ('Evaluator/blessing', 'BLESSED', delete, 'was deleted'),
    ],
)
def test_node_is_executed_again_when_what_is_cached_is_damaged(
    output: str,
    pattern: str,
    damage: Callable[[pathlib.Path], None],
    told: str,
    workshop: Workshop,
) -> None:
    (path,) = workshop.newest(output).glob(pattern)
    damage(path)
    outcome, error = workshop.run()
    assert error is None
    assert outcome.outcome == 'pushed'
    node = output.partition('/')[0]
    note = note_of(outcome, node)
    assert note.startswith(f'made again: {path.relative_to(workshop.config.pipeline_root)} ')
    assert told in note
    assert executed(outcome)[: len(NODES_AFTER[node])] == NODES_AFTER[node]
    assert executed(workshop.run()[0]) == []


def test_file_and_command_are_named_when_a_node_fails_on_damaged_input(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were so large that only its times and sizes are looked at.
    monkeypatch.setattr(manifest, '_COMPARED_BYTES', 0)
    (path,) = workshop.newest('ExampleGen/examples').glob('Split-train/*.gz')
    flip(path)
    _, error = workshop.run(again=['Transform'])
    assert isinstance(error, StoreError)
    assert 'Transform failed: an output of ExampleGen that it reads is damaged: ' in str(error)
    assert f'{path} was changed' in str(error)
    assert error.hint == 'run the same command with --again ExampleGen'
    mended, error = workshop.run(again=['ExampleGen'])  # what the hint says
    assert error is None
    assert mended.outcome == 'pushed'
    assert executed(mended)[:5] == NODES_AFTER['ExampleGen']
    assert 'made again' not in note_of(mended, 'ExampleGen')


def test_damage_is_not_seen_when_an_older_version_kept_no_manifest(
    tmp_path: pathlib.Path,
) -> None:
    keeper = artifacts.ArtifactKeeper(tmp_path)

    class Stored:
        uri = str(tmp_path / 'artifacts' / 'x' / 'SchemaGen' / 'schema' / '7')

    pathlib.Path(Stored.uri).mkdir(parents=True)
    assert keeper.damage(Stored()) is None
    Stored.uri += '-gone'
    assert keeper.damage(Stored()) == f'{Stored.uri} was deleted'
