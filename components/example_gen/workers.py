"""Worker code of ExampleGen: reads files, and writes examples into shards.

A worker writes the examples of a bundle itself, and sends on only the name of a file with their
counts: Beam's own sinks would cost five stages for each split, and send each example through them.
"""

from __future__ import annotations

import collections
import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from components.common import features
from components.common.atomic_write import UNFINISHED, atomic_write
from components.common.errors import DataError
from components.common.settings import ColumnSettings, canonical_label
from components.common.storage import storage_of
from components.common.worker_files import StoredValue, WorkerFiles
from components.example_gen.artifact_files import published_files
from components.example_gen.batches import Batch, SourceKind
from components.example_gen.examples import Serializer
from components.example_gen.group_counts import GroupSample
from components.example_gen.row_counts import DROPS, REJECTS, NodeResult
from components.example_gen.shards import Shard, ShardWriter, publish_shard
from components.example_gen.source_files import read_files
from components.readers.feature_columns import parse_features
from components.readers.labels import DROPPED, LabelRule
from components.readers.records import Record, Reject, assign_split

# Two are expected. A wrong column may have millions, and each spelling has a counter.
_MAX_LABELS = 1_000
# Rows that the split column puts into `train`, but the hash into `val`. They go to `val`, unless
# the column puts rows into `val` itself, which is known only when all rows are read.
_UNDECIDED = 'undecided'


class BundleResult(NamedTuple):
    """Result of a bundle.

    Attributes:
        first: Sort key of its first batch, by which its shards are ordered.
        shards: By split or `rejects`, the unfinished files, in the order of their
            rows.
        counts: Number of rows by (`rejects`, reason), (`drops`, label), (`unsup`, ''), and
            (split, label value followed by the label's spelling).
        fatal: Messages and hints about files that cannot be read. They are not
            raised on the worker, since Beam would hide them in a long traceback.
        files: Number of files, or parts of one, that were read.
        rows: Number of rows, those that are dropped or rejected included.
        groups: The groups of the examples, if a column names them.
        formats: See `ExamplesSummary.formats`.
    """

    first: tuple[str, int]
    shards: dict[str, list[Shard]]
    counts: dict[tuple[str, str], int]
    fatal: list[tuple[str, str]]
    files: int
    rows: int
    groups: GroupSample
    formats: dict[str, int]


class WriteShards(beam.DoFn):
    """Writes the Batches of a bundle into shards, and stores their BundleResult.

    Returns (0, StoredValue).

    A bundle that is tried again writes new shards; those of the first attempt
    are in no BundleResult, and are deleted with the folder.

    Args:
        kind: How the files are read.
        columns: Which columns of a table hold the text, the label, the split and the group.
        split_train: Whether to split `train` into `train` and `val`, unless a split
            column names `val`.
        uri: The Examples artifact.
        shard_bytes: See `ShardWriter`.
        base: What the paths of all files begin with, up to a slash. Messages and origins name
            files without it.
    """

    def __init__(
        self,
        kind: SourceKind,
        columns: ColumnSettings,
        *,
        split_train: bool,
        uri: str,
        shard_bytes: int,
        base: str = '',
    ) -> None:
        self._kind = kind
        self._columns = columns
        self._split_train = split_train
        self._uri = uri
        self._shard_bytes = shard_bytes
        self._base = base

    def start_bundle(self) -> None:
        self._first = '', 0
        self._writers: dict[str, ShardWriter] = {}
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._spellings: set[str] = set()
        self._fatal: list[tuple[str, str]] = []
        self._files = self._rows = 0
        self._groups = GroupSample()
        self._formats: collections.Counter[str] = collections.Counter()
        self._labels = LabelRule(self._columns)
        self._serializer = Serializer(parse_features(self._columns.features))

    def process(self, batch: Batch) -> None:
        self._first = self._first if self._files else batch.sort_key
        self._files += len(batch.paths)
        self._prefix = self._prefix_of(batch)
        try:
            for record in read_files(
                self._kind,
                batch.paths,
                self._columns,
                batch.split,
                batch.part,
                base=self._base,
                on_format=self._add_format,
            ):
                if isinstance(record, Reject):
                    self._counts[REJECTS, record.reason] += 1
                    line = json.dumps(record._asdict()) + '\n'
                    self._writer(REJECTS).write(line.encode())
                elif record.label is not None:
                    self._write(record, record.label)
                elif self._columns.use_unlabelled:
                    self._counts[features.UNLABELLED_SPLIT, ''] += 1
                    shard = self._writer(features.UNLABELLED_SPLIT)
                    shard.write(self._serializer.serialize(record.text, None, record.features))
                else:
                    continue  # the settings exclude it
                self._rows += 1
        except DataError as err:
            self._fatal.append((str(err), err.hint))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for writer in self._writers.values():
            writer.close()
        result = BundleResult(
            self._first,
            {name: writer.shards for name, writer in self._writers.items()},
            dict(self._counts),
            self._fatal,
            self._files,
            self._rows,
            self._groups,
            dict(self._formats),
        )
        (stored,) = WorkerFiles(self._uri).store([result])
        yield GlobalWindows.windowed_value((0, stored))

    def _add_format(self, unusual: str) -> None:
        self._formats[unusual] += 1

    def _write(self, record: Record, spelling: str) -> None:
        label = self._labels.value(spelling)
        if label is None:
            raise self._labels.unknown(spelling, record.where)
        name = spelling if self._labels.listed else canonical_label(spelling)
        self._require_few_spellings(name, record.where)
        if label == DROPPED:
            self._counts[DROPS, name] += 1
            return
        split = assign_split(
            record.text,
            record.split,
            test_percent=self._columns.test_percent,
            val_percent=self._columns.val_percent,
            split_train=self._split_train,
            group=record.group,
        )
        by_hash = record.split == features.TRAIN_SPLIT and split == features.VAL_SPLIT
        if by_hash and self._columns.split_column is not None:
            split = _UNDECIDED
        if record.group:
            self._groups.add(record.group, split)
        self._counts[split, f'{label}{name}'] += 1
        example = self._serializer.serialize(record.text, label, record.features)
        self._writer(split).write(example, record.where.removeprefix(self._prefix))

    def _prefix_of(self, batch: Batch) -> str:
        """Return the beginning of the locations of the rows of a batch that origins lack."""
        if self._kind is SourceKind.IMDB_ARCHIVE:
            return f'{batch.paths[0].removeprefix(self._base)}:'
        return self._base if self._kind is SourceKind.IMDB_FOLDER else ''

    def _require_few_spellings(self, name: str, where: str) -> None:
        self._spellings.add(name)
        if len(self._spellings) > _MAX_LABELS:
            raise DataError(
                f'{where}: expected two label values, got more than {_MAX_LABELS:,}',
                hint='check --label-column',
            )

    def _writer(self, name: str) -> ShardWriter:
        if name not in self._writers:
            prefix = posixpath.join(self._uri, UNFINISHED, name)
            lines = name == REJECTS
            self._writers[name] = ShardWriter(prefix, self._shard_bytes, lines=lines)
        return self._writers[name]


class PublishShards(beam.PTransform):
    """Gives the shards of all bundles their names, and writes the results.

    One worker chooses the names, and all of them rename, which in an object
    store means to copy. Each step may be tried again. The record of that worker has some 200
    bytes for each bundle, that is, at most for each `Batch`: 4 MB are the 5 TB of 20,000.

    Args:
        uri: The Examples artifact.
        result_file: Receives the NodeResult of all bundles.
    """

    def __init__(self, uri: str, result_file: str) -> None:
        super().__init__()
        self._uri = uri
        self._result_file = result_file

    def expand(self, results: beam.PCollection) -> beam.PCollection:
        return (
            results
            | 'Together' >> beam.GroupByKey()
            | 'Name' >> beam.FlatMap(name_shards, self._uri, self._result_file)
            | 'Share' >> beam.Reshuffle()
            | 'Rename' >> beam.MapTuple(publish_shard)
        )


def name_shards(
    element: tuple[int, Iterable[StoredValue]], uri: str, result_file: str
) -> list[tuple[str, str]]:
    """Write the result of all bundles, and return each shard with its final path."""
    files = rows = 0
    bundles: list[BundleResult] = []
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    groups = GroupSample()
    formats: collections.Counter[str] = collections.Counter()
    for stored in element[1]:
        bundle: BundleResult = WorkerFiles(uri).load(stored)
        found.update(bundle.counts)
        groups.merge(bundle.groups)
        formats.update(bundle.formats)
        files += bundle.files
        rows += bundle.rows
        bundles.append(bundle._replace(counts={}, groups=GroupSample()))
    bundles.sort(key=lambda bundle: bundle.first)
    names_val = any(split == features.VAL_SPLIT for split, _ in found)
    decided = {_UNDECIDED: features.TRAIN_SPLIT if names_val else features.VAL_SPLIT}
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for (name, detail), count in sorted(found.items()):
        counts[decided.get(name, name), detail] += count
    by_name: dict[str, list[Shard]] = collections.defaultdict(list)
    for bundle in bundles:
        for name, shards in bundle.shards.items():
            by_name[decided.get(name, name)] += shards
    sizes: dict[str, int] = {}
    renamed = []
    for name, shards in by_name.items():
        for index, shard in enumerate(shards):
            # The names that TFX gives to examples.
            number = f'-{index:05}-of-{len(shards):05}'
            path = f'Split-{name}/data_tfrecord{number}.gz'
            if name == REJECTS:
                path = f'report/rejects{number}.jsonl'
            path = posixpath.join(uri, path)
            sizes[path] = shard.size_bytes
            renamed.append((shard.path, path))
            if shard.origins_bytes is not None:
                path = posixpath.join(uri, f'report/origins-{name}{number}.txt.gz')
                sizes[path] = shard.origins_bytes
                renamed.append((shard.origins_path, path))
    result = NodeResult(
        counts=[(*key, count) for key, count in counts.items()],
        fatal=[error for bundle in bundles for error in bundle.fatal],
        files=files,
        rows=rows,
        sizes=sizes,
        groups=groups.counts(decided),
        formats=dict(sorted(formats.items())),
    )
    for path in published_files(uri):
        # A runner may also repeat the reading, in other bundles.
        if path not in sizes:
            storage_of(path).remove(path)
    content = json.dumps(result._asdict()).encode()
    atomic_write(result_file, content, part_dir=posixpath.dirname(result_file))
    return renamed
