"""What ExampleGen's workers do: read files, and write examples into shards.

A worker writes the examples of a bundle itself, and sends on only what it
found: Beam's own sinks would cost five stages for each split, and each example
a trip through them.
"""

from __future__ import annotations

import collections
import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import tensorflow as tf
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from components.common import features
from components.common.atomic_write import atomic_write
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.artifact_files import published_files
from components.example_gen.batches import Batch, SourceKind
from components.example_gen.row_counts import REJECTS, Published
from components.example_gen.shards import Serializer, Shard, ShardWriter, publish_shard
from components.example_gen.source_files import read_files
from components.readers.records import Record, Reject, assign_split, label_value

# Two are expected. More come of a wrong column, and each one is counted by its spelling.
_MAX_LABELS = 1_000
# What a split column calls `train`, and the hash would put into `val`. Whether it goes there is
# known when all rows are read: not if one of them says `val` itself.
_UNDECIDED = 'undecided'


class Found(NamedTuple):
    """What came of a bundle.

    Attributes:
        first: What its first batch is sorted by, and so its shards.
        shards: By split, and `rejects`, the unfinished files that were written,
            in the order of their rows.
        counts: By (`rejects`, reason), (`unsup`, ''), and (split, value
            followed by spelling of the label), the number of rows.
        fatal: Messages and hints about files that cannot be read at all:
            raised on a worker, Beam would bury them.
        files: How many files, or parts of one, were read.
        rows: How many texts and rejected rows the readers gave.
        left_out: How many of them are texts without a label that nobody wants.
    """

    first: tuple[str, int]
    shards: dict[str, list[Shard]]
    counts: dict[tuple[str, str], int]
    fatal: list[tuple[str, str]]
    files: int
    rows: int
    left_out: int


class WriteShards(beam.DoFn):
    """Turns the Batches of a bundle into shards, of which it tells as (0, Found).

    A bundle that is tried again writes shards of its own; those of the first
    try are in no Found, and go with the folder.

    Args:
        kind: How the files are read.
        columns: What is what in a table.
        split_train: Whether `train` is to be split into `train` and `val`, unless
            a split column names `val`.
        folder: For unfinished shards.
        shard_bytes: See `ShardWriter`.
    """

    def __init__(
        self,
        kind: SourceKind,
        columns: ColumnSettings,
        *,
        split_train: bool,
        folder: str,
        shard_bytes: int,
    ) -> None:
        self._kind = kind
        self._columns = columns
        self._split_train = split_train
        self._folder = folder
        self._shard_bytes = shard_bytes

    def start_bundle(self) -> None:
        self._first = '', 0
        self._writers: dict[str, ShardWriter] = {}
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._spellings: set[str] = set()
        self._fatal: list[tuple[str, str]] = []
        self._files = self._rows = self._left_out = 0
        self._serializer = Serializer()

    def process(self, batch: Batch) -> None:
        self._first = self._first if self._files else batch.sort_key
        self._files += len(batch.paths)
        try:
            for record in read_files(
                self._kind, batch.paths, self._columns, batch.split, batch.part
            ):
                self._rows += 1
                if isinstance(record, Reject):
                    self._counts[REJECTS, record.reason] += 1
                    line = json.dumps(record._asdict()) + '\n'
                    self._writer(REJECTS).write(line.encode())
                elif record.label is not None:
                    self._write(record, record.label)
                elif self._columns.use_unlabelled:
                    self._counts[features.UNLABELLED_SPLIT, ''] += 1
                    shard = self._writer(features.UNLABELLED_SPLIT)
                    shard.write(self._serializer.serialize(record.text, None))
                else:
                    self._left_out += 1
        except DataError as err:
            self._fatal.append((str(err), err.hint))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for writer in self._writers.values():
            writer.close()
        found = Found(
            self._first,
            {name: writer.shards for name, writer in self._writers.items()},
            dict(self._counts),
            self._fatal,
            self._files,
            self._rows,
            self._left_out,
        )
        yield GlobalWindows.windowed_value((0, found))

    def _write(self, record: Record, spelling: str) -> None:
        label = label_value(spelling, self._columns.positive_label)
        if label is None:
            raise DataError(
                f'{record.where}: the label {spelling!r} is none of the known pairs '
                '(pos/neg, positive/negative, 1/0, true/false, yes/no)',
                hint='pass --positive-label VALUE; the other value is then negative',
            )
        split = assign_split(
            record.text,
            record.split,
            test_percent=self._columns.test_percent,
            val_percent=self._columns.val_percent,
            split_train=self._split_train,
        )
        by_hash = record.split == features.TRAIN_SPLIT and split == features.VAL_SPLIT
        if by_hash and self._columns.split_column is not None:
            split = _UNDECIDED
        name = spelling if self._columns.positive_label else spelling.casefold()
        self._spellings.add(name)
        if len(self._spellings) > _MAX_LABELS:
            raise DataError(
                f'{record.where}: by here there are more than {_MAX_LABELS:,} label values, '
                'expected two',
                hint='check --label-column',
            )
        self._counts[split, f'{label}{name}'] += 1
        self._writer(split).write(self._serializer.serialize(record.text, label))

    def _writer(self, name: str) -> ShardWriter:
        if name not in self._writers:
            prefix = posixpath.join(self._folder, name)
            lines = name == REJECTS
            self._writers[name] = ShardWriter(prefix, self._shard_bytes, lines=lines)
        return self._writers[name]


class PublishShards(beam.PTransform):
    """Gives the shards of all bundles their names, and writes what was found.

    From (0, Found) of each bundle. One worker chooses the names, all of them
    rename: in an object store, that is to copy. May be tried again, after any of
    its steps.

    Args:
        uri: Of the Examples artifact.
        found_file: Receives what all bundles found, as `accounts.Published`.
    """

    def __init__(self, uri: str, found_file: str) -> None:
        super().__init__()
        self._uri = uri
        self._found_file = found_file

    def expand(self, found: beam.PCollection) -> beam.PCollection:
        return (
            found
            | 'Together' >> beam.GroupByKey()
            | 'Name' >> beam.FlatMap(name_shards, self._uri, self._found_file)
            | 'Share' >> beam.Reshuffle()
            | 'Rename' >> beam.MapTuple(publish_shard)
        )


def name_shards(
    element: tuple[int, Iterable[Found]], uri: str, found_file: str
) -> list[tuple[str, str]]:
    """Write what was found, and return each shard with the path that it is to have.

    Args:
        element: What all bundles found; a line for each shard, not for each row.
        uri: See `PublishShards`.
        found_file: The same.
    """
    bundles = sorted(element[1], key=lambda found: found.first)
    said_val = any(key[0] == features.VAL_SPLIT for found in bundles for key in found.counts)
    decided = {_UNDECIDED: features.TRAIN_SPLIT if said_val else features.VAL_SPLIT}
    by_name: dict[str, list[Shard]] = collections.defaultdict(list)
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for found in bundles:
        for name, shards in found.shards.items():
            by_name[decided.get(name, name)] += shards
        for (name, what), count in found.counts.items():
            counts[decided.get(name, name), what] += count
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
    published = Published(
        counts=[(*key, count) for key, count in counts.items()],
        fatal=[told for found in bundles for told in found.fatal],
        files=sum(found.files for found in bundles),
        rows=sum(found.rows for found in bundles),
        left_out=sum(found.left_out for found in bundles),
        sizes=sizes,
    )
    for path in published_files(uri):
        # A runner may do the reading again, too, and in other bundles.
        if path not in sizes:
            tf.io.gfile.remove(path)
    content = json.dumps(published._asdict()).encode()
    atomic_write(found_file, content, part_dir=posixpath.dirname(found_file))
    return renamed
