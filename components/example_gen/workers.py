"""What ExampleGen's workers do: read files, and write examples into shards.

A worker writes the examples of a bundle itself, and sends on only what it
found: Beam's own sinks would cost five stages for each split, and each example
a trip through them.
"""

from __future__ import annotations

import collections
import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import apache_beam as beam
import tensorflow as tf
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue
from tfx.dsl.io import fileio

from components import features
from components.errors import DataError
from components.example_gen.accounts import Published
from components.example_gen.checks import REJECTS
from components.example_gen.reading import read_records
from components.example_gen.records import Record, Reject, assign_split, label_value
from components.example_gen.sources import SourceKind
from components.settings import ColumnSettings

# Two are expected. More come of a wrong column, and each one is counted by its spelling.
_MAX_LABELS = 1_000
# Level 6, the usual one, takes 5 CPU s for IMDB where 1 takes 1.4, for a sixth of the size.
_GZIP = tf.io.TFRecordOptions(compression_type='GZIP', compression_level=1)


class Batch(NamedTuple):
    """Files that are read one after the other, and the split that they are for."""

    split: str | None
    paths: list[str]


class Shard(NamedTuple):
    """A file, and how many bytes were written to it."""

    path: str
    size_bytes: int


class Found(NamedTuple):
    """What came of a bundle.

    Attributes:
        first: Path of its first file, by which shards are ordered.
        shards: By split, and `rejects`, the unfinished file that was written,
            and its size.
        counts: By (`rejects`, reason), (`unsup`, ''), and (split, value
            followed by spelling of the label), the number of rows.
        fatal: Messages and hints about files that cannot be read at all:
            raised on a worker, Beam would bury them.
        files: How many files were read.
        rows: How many texts and rejected rows the readers gave.
        left_out: How many of them are texts without a label that nobody wants.
    """

    first: str
    shards: dict[str, Shard]
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
        split_train: Whether `train` is to be split into `train` and `val`.
        folder: For unfinished shards.
    """

    def __init__(
        self, kind: SourceKind, columns: ColumnSettings, *, split_train: bool, folder: str
    ) -> None:
        self._kind = kind
        self._columns = columns
        self._split_train = split_train
        self._folder = folder

    def start_bundle(self) -> None:
        self._first = ''
        self._paths: dict[str, str] = {}
        self._writers: dict[str, Any] = {}
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._fatal: list[tuple[str, str]] = []
        self._files = self._rows = self._left_out = 0
        self._serializer = Serializer()

    def process(self, batch: Batch) -> None:
        self._first = self._first or batch.paths[0]
        self._files += len(batch.paths)
        try:
            for record in read_records(self._kind, batch.paths, self._columns, batch.split):
                self._rows += 1
                if isinstance(record, Reject):
                    self._counts[REJECTS, record.reason] += 1
                    self._writer(REJECTS).write(json.dumps(record._asdict()) + '\n')
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
            {name: Shard(path, _size(path)) for name, path in self._paths.items()},
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
                hint='say --positive-label VALUE; the other value is then negative',
            )
        split = assign_split(
            record.text,
            record.split,
            test_percent=self._columns.test_percent,
            val_percent=self._columns.val_percent,
            split_train=self._split_train,
        )
        name = spelling if self._columns.positive_label else spelling.casefold()
        if len(self._counts) > _MAX_LABELS:
            raise DataError(
                f'{record.where}: by here there are more than {_MAX_LABELS:,} label values, '
                'expected two',
                hint='check --label-column',
            )
        self._counts[split, f'{label}{name}'] += 1
        self._writer(split).write(self._serializer.serialize(record.text, label))

    def _writer(self, name: str) -> Any:
        if name not in self._writers:
            path = posixpath.join(self._folder, f'{name}-{uuid.uuid4().hex}')
            self._paths[name] = path
            self._writers[name] = (
                fileio.open(path, 'w') if name == REJECTS else tf.io.TFRecordWriter(path, _GZIP)
            )
        return self._writers[name]


class PublishShards(beam.DoFn):
    """Gives the shards of all bundles their names, and writes what was found.

    May be tried again, after any of its steps.

    Args:
        uri: Of the Examples artifact.
        found_file: Receives what all bundles found, as `accounts.Published`.
    """

    def __init__(self, uri: str, found_file: str) -> None:
        self._uri = uri
        self._found_file = found_file

    def process(self, element: tuple[int, Iterable[Found]]) -> None:
        bundles = sorted(element[1], key=lambda found: found.first)
        sizes: dict[str, int] = {}
        for name in (*features.SPLITS, features.UNLABELLED_SPLIT, REJECTS):
            shards = [found.shards[name] for found in bundles if name in found.shards]
            for index, shard in enumerate(shards):
                path = self._publish(name, shard.path, f'-{index:05}-of-{len(shards):05}')
                sizes[path] = shard.size_bytes
        counts: collections.Counter[tuple[str, str]] = collections.Counter()
        for found in bundles:
            counts.update(found.counts)
        published = Published(
            counts=[(*key, count) for key, count in counts.items()],
            fatal=[told for found in bundles for told in found.fatal],
            files=sum(found.files for found in bundles),
            rows=sum(found.rows for found in bundles),
            left_out=sum(found.left_out for found in bundles),
            sizes=sizes,
        )
        with fileio.open(self._found_file, 'w') as file:
            file.write(json.dumps(published._asdict()))

    def _publish(self, name: str, shard: str, number: str) -> str:
        # The names that TFX gives to examples.
        path = f'report/rejects{number}.jsonl'
        if name != REJECTS:
            path = f'Split-{name}/data_tfrecord{number}.gz'
        path = posixpath.join(self._uri, path)
        fileio.makedirs(posixpath.dirname(path))
        if fileio.exists(shard):
            fileio.rename(shard, path, overwrite=True)
        return path


def _size(path: str) -> int:
    return int(tf.io.gfile.stat(path).length)


class Serializer:
    """Serializes examples; not for several threads at once."""

    def __init__(self) -> None:
        self._templates: dict[tuple[int | None, str], tuple[tf.train.Example, Any]] = {}

    def serialize(self, text: str, label: int | None) -> bytes:
        """Return the example of a text and its label, 0, 1 or none, as ExampleGen writes it."""
        key = label, features.length_bucket(len(text.split()))
        if key not in self._templates:
            self._templates[key] = _template(*key)
        example, texts = self._templates[key]
        texts[0] = text.encode('utf-8')
        return cast(bytes, example.SerializeToString(deterministic=True))


def _template(label: int | None, length: str) -> tuple[tf.train.Example, Any]:
    # To build an example from scratch takes three times as long as to change one.
    example = tf.train.Example()
    feature = example.features.feature
    if label is not None:
        feature[features.LABEL_KEY].int64_list.value.append(label)
    feature[features.LENGTH_KEY].bytes_list.value.append(length.encode())
    texts = feature[features.TEXT_KEY].bytes_list.value
    texts.append(b'')
    return example, texts
