"""Faults between the workers and the artifact: what is lost there stops the run."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable

import pytest

from components.common.errors import ComponentError
from components.example_gen import workers
from components.example_gen.row_counts import NodeResult, require_complete
from tests.components.example_gen import test_workers
from tests.components.example_gen.test_workers import make_writer, write_bundle, write_tables

Found = list[workers.BundleResult]


def publish(folder: pathlib.Path, spoil: Callable[[Found], Found]) -> NodeResult:
    """Write four tables as two bundles, do something to them, and publish."""
    batches = write_tables(folder, 4)
    (folder / 'unfinished').mkdir()
    writer = make_writer(folder / 'unfinished')
    found = spoil([write_bundle(writer, batches[:2]), write_bundle(writer, batches[2:])])
    return NodeResult(**test_workers.publish(folder, found))


def lose_a_bundle(found: Found) -> Found:
    return found[1:]


def take_a_bundle_twice(found: Found) -> Found:
    return [*found, found[0]]


def lose_a_shard(found: Found) -> Found:
    pathlib.Path(found[0].shards['test'][0].path).unlink()
    return found


def cut_a_shard(found: Found) -> Found:
    path = pathlib.Path(found[1].shards['test'][0].path)
    path.write_bytes(path.read_bytes()[:-10])
    return found


def lose_the_rejects(found: Found) -> Found:
    pathlib.Path(found[0].shards['rejects'][0].path).unlink()
    return found


def count_a_row_twice(found: Found) -> Found:
    counts = {key: count + (key[1] == '1pos') for key, count in found[0].counts.items()}
    return [found[0]._replace(counts=counts), found[1]]


def test_nothing_is_missed_when_all_that_was_read_is_published(tmp_path: pathlib.Path) -> None:
    published = publish(tmp_path, lambda found: found)
    assert (published.files, published.rows, published.left_out) == (4, 80, 0)
    require_complete(published, files=4, uri=str(tmp_path / 'out'))


def test_nothing_is_missed_when_the_folder_is_called_as_a_pattern(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / 'a[1]'
    folder.mkdir()
    require_complete(publish(folder, lambda found: found), files=4, uri=str(folder / 'out'))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lose_a_bundle, 'expected 4 files, got 2$'),
        (take_a_bundle_twice, 'expected 4 files, got 6$'),
        (lose_a_shard, r'expected \d+ bytes in .*/Split-test/data_.*00000-of-00002.gz, got none$'),
        (cut_a_shard, r'expected \d+ bytes in .*/Split-test/data_.*00001-of-00002.gz, got \d+$'),
        (lose_the_rejects, r'expected \d+ bytes in .*/report/rejects-00000-of-.*, got none$'),
        (count_a_row_twice, 'expected 80 rows to be examples or rejects, got 81$'),
    ],
)
def test_run_stops_when_something_is_lost_between_worker_and_artifact(
    spoil: Callable[[Found], Found], message: str, tmp_path: pathlib.Path
) -> None:
    published = publish(tmp_path, spoil)
    with pytest.raises(ComponentError, match=f'^ExampleGen: {message}'):
        require_complete(published, files=4, uri=str(tmp_path / 'out'))


def test_run_stops_when_a_shard_is_there_twice(tmp_path: pathlib.Path) -> None:
    published = publish(tmp_path, lambda found: found)
    shard = min((tmp_path / 'out' / 'Split-test').iterdir())
    shutil.copyfile(shard, shard.with_name('copy-of-it.gz'))
    with pytest.raises(ComponentError, match=r'expected no bytes in .*copy-of-it.gz, got \d+$'):
        require_complete(published, files=4, uri=str(tmp_path / 'out'))
