"""Reads labelled texts with Beam and writes them as examples, split and counted."""

from __future__ import annotations

import collections
import json
import os
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple, cast

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue
from google.protobuf import json_format, struct_pb2
from tfx.components.example_gen import base_example_gen_executor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components import features
from components.errors import DataError
from components.example_gen import imdb, tables
from components.example_gen.checks import REJECTS, summarize
from components.example_gen.records import Record, Reject, assign_split, label_value
from components.example_gen.sources import SourceKind, split_of_input
from components.settings import ColumnSettings

_COUNTS = 'counts'
_FATAL = 'fatal'
# An IMDB folder has 50,000 files; a Beam element each would cost more than reading them.
_FILES_PER_ELEMENT = 500


class _Batch(NamedTuple):
    split: str | None
    paths: list[str]


class ReadExamples(beam.DoFn):
    """Turns batches of files into serialized examples.

    Its outputs are named after the splits; besides them come `rejects`
    (Reject), `counts` (one Counter per bundle) and `fatal` (a file that cannot
    be read at all, as message and hint: raised here, Beam would bury it).

    Args:
        kind: How the files are read.
        columns: What is what in a table.
        split_train: Whether `train` is to be split into `train` and `val`.
    """

    def __init__(self, kind: SourceKind, columns: ColumnSettings, *, split_train: bool) -> None:
        self._kind = kind
        self._columns = columns
        self._split_train = split_train
        self._counter: collections.Counter[tuple[str, str]] = collections.Counter()

    def start_bundle(self) -> None:
        self._counter = collections.Counter()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindows.windowed_value(self._counter)
        yield beam.pvalue.TaggedOutput(_COUNTS, window)

    def process(self, batch: _Batch) -> Iterator[beam.pvalue.TaggedOutput]:
        try:
            for record in read_records(self._kind, batch.paths, self._columns, batch.split):
                if isinstance(record, Reject):
                    self._counter[REJECTS, record.reason] += 1
                    yield beam.pvalue.TaggedOutput(REJECTS, record)
                    continue
                yield self._example(record)
        except DataError as err:
            yield beam.pvalue.TaggedOutput(_FATAL, (str(err), err.hint))

    def _example(self, record: Record) -> beam.pvalue.TaggedOutput:
        label = label_value(record.label, self._columns.positive_label)
        if label is None:
            raise DataError(
                f'{record.where}: the label {record.label!r} is none of the known pairs '
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
        name = record.label if self._columns.positive_label else record.label.casefold()
        self._counter[split, f'{label}{name}'] += 1
        return beam.pvalue.TaggedOutput(split, _serialize(record.text, label))


def read_records(
    kind: SourceKind, paths: Iterable[str], columns: ColumnSettings, split: str | None
) -> Iterator[Record | Reject]:
    """Read files of one kind, one after the other."""
    for path in paths:
        name = posixpath.basename(path)
        # Beam would gunzip by file name; the readers do it, and can then name the file.
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            stream = cast(BinaryIO, file)
            if kind is SourceKind.IMDB_ARCHIVE:
                yield from imdb.read_archive(stream, name)
            elif kind is SourceKind.IMDB_FOLDER:
                yield imdb.read_file(path, stream.read())
            else:
                yield from tables.read_table(stream, name, columns, split)


def _serialize(text: str, label: int) -> bytes:
    example = tf.train.Example()
    feature = example.features.feature
    feature[features.TEXT_KEY].bytes_list.value.append(text.encode('utf-8'))
    feature[features.LABEL_KEY].int64_list.value.append(label)
    bucket = features.length_bucket(len(text.split()))
    feature[features.LENGTH_KEY].bytes_list.value.append(bucket.encode())
    return cast(bytes, example.SerializeToString(deterministic=True))


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Executor of the file ExampleGen.

    Stops with a DataError, and no artifact, if a file cannot be read, if there
    are not exactly two labels, if a split lacks one of them, or if too many
    rows had to be rejected.
    """

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Refuse: the base class demands it, but `GenerateExamplesByBeam` needs none."""
        raise AssertionError('not used')

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """Return the PCollections of serialized examples by split, and what else was found."""
        kind, columns = parse_custom_config(exec_properties)
        batches = list(_batches(exec_properties))
        explicit = {batch.split for batch in batches}
        if columns.split_column is not None:
            explicit |= self._splits_in_column(batches, kind, columns)
        reader = ReadExamples(kind, columns, split_train=features.VAL_SPLIT not in explicit)
        outputs = (
            pipeline
            | 'Files' >> beam.Create(batches)
            | 'Spread' >> beam.Reshuffle()
            | 'Read'
            >> beam.ParDo(reader).with_outputs(*features.SPLITS, _COUNTS, _FATAL, REJECTS)
        )
        return {name: outputs[name] for name in (*features.SPLITS, _COUNTS, _FATAL, REJECTS)}

    def Do(
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write the splits, the rejects and the summary into the Examples artifact."""
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        examples.split_names = artifact_utils.encode_split_names(list(features.SPLITS))
        report = posixpath.join(examples.uri, 'report')
        with self._make_beam_pipeline() as pipeline:
            found = self.GenerateExamplesByBeam(pipeline, exec_properties)
            for split in features.SPLITS:
                uri = artifact_utils.get_split_uri([examples], split)
                found[split] | f'Write[{split}]' >> write_split.WriteSplit(
                    uri, example_gen_pb2.FORMAT_TFRECORDS_GZIP, exec_properties
                )
            _write_report(found, report)

        _raise_fatal(report)
        _, columns = parse_custom_config(exec_properties)
        summary = summarize(_read_counts(report), columns)
        summary.write(examples.uri)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(
            examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )

    def _splits_in_column(
        self, batches: list[_Batch], kind: SourceKind, columns: ColumnSettings
    ) -> set[str | None]:
        """Find which splits the rows name; whether one is `val` must be known before."""

        class _Splits(beam.DoFn):
            def process(self, batch: _Batch) -> Iterator[str | None]:
                try:
                    yield from {
                        r.split
                        for r in read_records(kind, batch.paths, columns, batch.split)
                        if isinstance(r, Record)
                    }
                except DataError:
                    return  # the main pass finds it again, and reports it

        folder = self._get_tmp_dir()
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create(batches)
                | beam.ParDo(_Splits())
                | beam.Map(str)
                | beam.Distinct()
                | beam.io.WriteToText(posixpath.join(folder, 'splits'))
            )
        return {line for line in _read_lines(folder, 'splits')}


def parse_custom_config(exec_properties: dict[str, Any]) -> tuple[SourceKind, ColumnSettings]:
    """Parse what `make_example_gen` put into the node's custom config."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(
        exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config
    )
    struct = struct_pb2.Struct()
    config.custom_config.Unpack(struct)
    fields = json_format.MessageToDict(struct)
    return SourceKind(fields['kind']), ColumnSettings.model_validate(fields['columns'])


def _batches(exec_properties: dict[str, Any]) -> Iterator[_Batch]:
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    for split in config.splits:
        paths = sorted(fileio.glob(posixpath.join(base, split.pattern)))
        if not paths:
            raise DataError(
                f'no file matches {split.pattern} in {base}',
                hint='check that the data is still there',
            )
        for start in range(0, len(paths), _FILES_PER_ELEMENT):
            part = paths[start : start + _FILES_PER_ELEMENT]
            yield _Batch(split_of_input(split.name), part)


def _write_report(found: dict[str, beam.pvalue.PCollection], report: str) -> None:
    lines = {
        REJECTS: found[REJECTS] | 'RejectLines' >> beam.Map(lambda r: json.dumps(r._asdict())),
        _FATAL: found[_FATAL] | 'FatalLines' >> beam.Map(json.dumps),
        _COUNTS: found[_COUNTS]
        | 'SumCounts' >> beam.CombineGlobally(_sum_counters)
        | 'CountLines' >> beam.Map(lambda c: json.dumps([[*k, n] for k, n in sorted(c.items())])),
    }
    for name, collection in lines.items():
        _ = collection | f'Write[{name}]' >> beam.io.WriteToText(
            posixpath.join(report, name), file_name_suffix='.jsonl'
        )


def _sum_counters(
    counters: Iterable[collections.Counter[tuple[str, str]]],
) -> collections.Counter[tuple[str, str]]:
    total: collections.Counter[tuple[str, str]] = collections.Counter()
    for counter in counters:
        total.update(counter)
    return total


def _read_lines(folder: str, prefix: str) -> list[str]:
    lines: list[str] = []
    for path in sorted(fileio.glob(os.path.join(folder, prefix + '*'))):
        with fileio.open(path) as file:
            lines.extend(file.read().splitlines())
    return lines


def _raise_fatal(report: str) -> None:
    fatal = _read_lines(report, _FATAL)
    if fatal:
        message, hint = json.loads(fatal[0])
        raise DataError(message, hint=hint)


def _read_counts(report: str) -> dict[tuple[str, str], int]:
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for line in _read_lines(report, _COUNTS):
        for kind, name, count in json.loads(line):
            counts[kind, name] += count
    return counts
