from __future__ import annotations

import itertools
import json
import pathlib
import pickle
from typing import Any

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from components.common.atomic_write import UNFINISHED
from components.common.settings import ColumnSettings
from components.common.worker_files import WorkerFiles
from components.example_gen import shards, workers
from components.example_gen.batches import Batch, SourceKind
from pipeline.beam.arguments import DIRECT_RUNNER
from tests.components.example_gen.samples import encode_table


def write_tables(folder: pathlib.Path, count: int) -> list[Batch]:
    """Write tables of 20 rows, of which the first has no text."""
    paths = [folder / f'{number:02}.csv' for number in range(count)]
    for path in paths:
        rows = [{'text': '', 'label': 'pos'}]
        rows += [{'text': f'{path.stem} {n:02}', 'label': ('neg', 'pos')[n % 2]} for n in range(19)]
        path.write_bytes(encode_table(path.name, rows))
    return [Batch('test', [str(path)]) for path in paths]


def make_writer(
    folder: pathlib.Path, shard_bytes: int = 1 << 20, *, columns: ColumnSettings | None = None
) -> workers.WriteShards:
    """Return a writer as a worker gets it, for the artifact `out` in a folder."""
    uri = folder / 'out'
    (uri / UNFINISHED).mkdir(parents=True, exist_ok=True)
    writer = workers.WriteShards(
        SourceKind.TABLES,
        columns or ColumnSettings(),
        split_train=True,
        uri=str(uri),
        shard_bytes=shard_bytes,
    )
    return pickle.loads(pickle.dumps(writer))  # type: ignore[no-any-return]


def write_bundle(writer: workers.WriteShards, batches: list[Batch]) -> workers.BundleResult:
    writer.start_bundle()
    for batch in batches:
        writer.process(batch)
    (output,) = writer.finish_bundle()
    return WorkerFiles(writer._uri).load(output.value[1])  # type: ignore[no-any-return]


def publish(folder: pathlib.Path, found: list[workers.BundleResult]) -> dict[str, Any]:
    """Publish shards as PublishShards does, and return the result."""
    result_file = folder / 'result.json'
    uri = str(folder / 'out')
    stored = WorkerFiles(uri).store(found)
    for renamed in workers.name_shards((0, stored), uri, str(result_file)):
        shards.publish_shard(*renamed)
    return json.loads(result_file.read_text())  # type: ignore[no-any-return]


def read_texts(folder: pathlib.Path) -> list[list[str]]:
    return [
        [
            tf.train.Example.FromString(record)
            .features.feature['text']
            .bytes_list.value[0]
            .decode()
            for record in tf.data.TFRecordDataset(str(path), 'GZIP').as_numpy_iterator()
        ]
        for path in sorted(folder.iterdir())
    ]


EXPECTED = [f'{file:02} {number:02}' for file in range(4) for number in range(19)]


def test_each_row_is_published_once_when_work_is_retried(tmp_path: pathlib.Path) -> None:
    batches = write_tables(tmp_path, 4)
    writer = make_writer(tmp_path)
    writer.start_bundle()
    writer.process(batches[0])  # the worker dies after this
    write_bundle(make_writer(tmp_path), batches)  # the result is lost
    found = [write_bundle(make_writer(tmp_path), batches)]
    for _ in range(2):
        report = publish(tmp_path, found)
        assert read_texts(tmp_path / 'out' / 'Split-test') == [EXPECTED]
        assert sorted(report['counts']) == [
            ['rejects', 'empty text', 4],
            ['test', '0neg', 40],
            ['test', '1pos', 36],
        ]


def test_only_the_last_attempt_is_published_when_bundles_differ(
    tmp_path: pathlib.Path,
) -> None:
    batches = write_tables(tmp_path, 4)
    writer = make_writer(tmp_path)
    publish(tmp_path, [write_bundle(writer, [batch]) for batch in batches])
    report = publish(tmp_path, [write_bundle(writer, batches)])
    assert read_texts(tmp_path / 'out' / 'Split-test') == [EXPECTED]
    found = {str(path) for path in (tmp_path / 'out').glob('[!.]*/*')}
    assert found == set(report['sizes'])


def test_shards_are_bounded_and_in_the_order_of_files_when_bundles_are_not(
    tmp_path: pathlib.Path,
) -> None:
    batches = write_tables(tmp_path, 4)
    # An example of these has 52 bytes: 10 are in a shard, and a reject's line has fewer than 520.
    found = [
        write_bundle(make_writer(tmp_path, 520), batches[start : start + 2]) for start in (2, 0)
    ]
    report = publish(tmp_path, found)
    shards_of_test = read_texts(tmp_path / 'out' / 'Split-test')
    assert list(itertools.chain(*shards_of_test)) == EXPECTED
    assert [len(shard) for shard in shards_of_test] == [10, 10, 10, 8] * 2
    assert len([path for path in report['sizes'] if 'Split-test' in path]) == 8


@pytest.mark.parametrize(('labels', 'fits'), [(1_000, True), (1_001, False)])
def test_label_values_are_limited_when_each_occurs_in_several_splits(
    labels: int, fits: bool, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'a.csv'
    (tmp_path / UNFINISHED).mkdir()
    rows = [
        {'text': f'text {number}', 'label': f'label {number % labels}', 'split': split}
        for number in range(labels)
        for split in ('train', 'val', 'test')
    ]
    path.write_bytes(encode_table(path.name, rows))
    columns = ColumnSettings(split_column='split', positive_label='label 1')
    writer = workers.WriteShards(
        SourceKind.TABLES, columns, split_train=True, uri=str(tmp_path), shard_bytes=1 << 20
    )
    found = write_bundle(writer, [Batch(None, [str(path)])])
    assert (found.fatal == []) == fits
    if not fits:
        ((message, hint),) = found.fatal
        assert 'a.csv:' in message
        assert 'expected two label values, got more than 1,000' in message
        assert '--label-column' in hint


@pytest.mark.parametrize('mode', ['in_memory', 'multi_threading'])
def test_each_row_is_written_once_when_there_are_several_workers(
    mode: str, tmp_path: pathlib.Path
) -> None:
    batches = write_tables(tmp_path, 4)
    options = PipelineOptions(
        [f'--runner={DIRECT_RUNNER}', f'--direct_running_mode={mode}', '--direct_num_workers=2']
    )
    result_file = tmp_path / 'result.json'
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(batches)
            | beam.ParDo(make_writer(tmp_path))
            | workers.PublishShards(str(tmp_path / 'out'), str(result_file))
        )
    assert sorted(itertools.chain(*read_texts(tmp_path / 'out' / 'Split-test'))) == EXPECTED
    counts: Any = json.loads(result_file.read_text())['counts']
    assert sum(count for _, _, count in counts) == 80
