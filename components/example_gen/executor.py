"""Reads labelled texts with Beam and writes them as examples, split and counted."""

from __future__ import annotations

import dataclasses
import json
import os
import posixpath
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from google.protobuf import json_format, struct_pb2
from tfx.components.example_gen import base_example_gen_executor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components import features
from components.beam_jobs import finished
from components.errors import DataError
from components.example_gen import workers
from components.example_gen.accounts import Published, require_all
from components.example_gen.checks import summarize
from components.example_gen.reading import read_records
from components.example_gen.records import Record
from components.example_gen.sources import SourceKind, split_of_input
from components.example_gen.summary import REJECTS_FILES
from components.settings import ColumnSettings

# An IMDB folder has 50,000 files; a Beam element each would cost more than reading them.
_FILES_PER_ELEMENT = 500


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Executor of the file ExampleGen.

    Stops with a DataError, and no artifact, if a file cannot be read, if there
    are not exactly two labels, if a split lacks one of them, or if too many
    rows had to be rejected; with a ComponentError if anything was lost.
    """

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Refuse: the base class demands it, but `Do` needs none."""
        raise AssertionError('not used')

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
        kind, columns = parse_custom_config(exec_properties)
        batches = list(_batches(exec_properties))
        explicit = {batch.split for batch in batches}
        # On the same file system as the artifact, so that shards are renamed, not copied.
        unfinished = posixpath.join(examples.uri, '.unfinished')
        fileio.makedirs(unfinished)
        if columns.split_column is not None:
            explicit |= self._splits_in_column(batches, kind, columns, unfinished)
        found_file = posixpath.join(unfinished, 'found.json')
        writer = workers.WriteShards(
            kind,
            columns,
            split_train=features.VAL_SPLIT not in explicit,
            folder=unfinished,
        )
        with finished(self._make_beam_pipeline(), 'ExampleGen') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(batches)
                | 'Write' >> beam.ParDo(writer)
                | 'Together' >> beam.GroupByKey()
                | 'Publish' >> beam.ParDo(workers.PublishShards(examples.uri, found_file))
            )
        with fileio.open(found_file) as file:
            found = Published(**json.loads(file.read()))
        fileio.rmtree(unfinished)

        for message, hint in found.fatal:
            raise DataError(message, hint=hint)
        require_all(found, files=sum(len(batch.paths) for batch in batches), uri=examples.uri)
        counts = {(kind_or_split, name): n for kind_or_split, name, n in found.counts}
        try:
            found_counts = summarize(counts, columns)
        except DataError as err:
            # The rejects go with the rest of what a failed node wrote.
            raise DataError(str(err), hint=f'{err.hint}{_first_reject(examples.uri)}') from err
        summary = dataclasses.replace(
            found_counts, sources=tuple(_patterns(exec_properties).values())
        )
        summary.write(examples.uri)
        splits = [*features.SPLITS, *([features.UNLABELLED_SPLIT] if summary.unlabelled else [])]
        examples.split_names = artifact_utils.encode_split_names(splits)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(
            examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )

    def _splits_in_column(
        self,
        batches: list[workers.Batch],
        kind: SourceKind,
        columns: ColumnSettings,
        folder: str,
    ) -> set[str | None]:
        """Find which splits the rows name; whether one is `val` must be known before."""

        class _Splits(beam.DoFn):
            def process(self, batch: workers.Batch) -> Iterator[str | None]:
                try:
                    yield from {
                        r.split
                        for r in read_records(kind, batch.paths, columns, batch.split)
                        if isinstance(r, Record)
                    }
                except DataError:
                    return  # the main pass finds it again, and reports it

        with finished(self._make_beam_pipeline(), 'ExampleGen') as pipeline:
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
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config)
    struct = struct_pb2.Struct()
    config.custom_config.Unpack(struct)
    fields = json_format.MessageToDict(struct)
    return SourceKind(fields['kind']), ColumnSettings.model_validate(fields['columns'])


def _batches(exec_properties: dict[str, Any]) -> Iterator[workers.Batch]:
    for name, pattern in _patterns(exec_properties).items():
        paths = sorted(fileio.glob(pattern))
        if not paths:
            raise DataError(
                f'no file matches {posixpath.basename(pattern)} in {posixpath.dirname(pattern)}',
                hint='check that the data is still there',
            )
        for start in range(0, len(paths), _FILES_PER_ELEMENT):
            part = paths[start : start + _FILES_PER_ELEMENT]
            yield workers.Batch(split_of_input(name), part)


def _patterns(exec_properties: dict[str, Any]) -> dict[str, str]:
    """Return the patterns of the files to read, by the name that the node gives them."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return {split.name: posixpath.join(base, split.pattern) for split in config.splits}


def _first_reject(uri: str) -> str:
    for path in sorted(fileio.glob(posixpath.join(uri, REJECTS_FILES))):
        with fileio.open(path) as file:
            reject = json.loads(file.readline())
            return f'; the first row that cannot be used is {reject["where"]} ({reject["reason"]})'
    return ''


def _read_lines(folder: str, prefix: str) -> list[str]:
    lines: list[str] = []
    for path in sorted(fileio.glob(os.path.join(folder, prefix + '*'))):
        with fileio.open(path) as file:
            lines.extend(file.read().splitlines())
    return lines
