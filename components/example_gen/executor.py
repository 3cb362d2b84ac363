"""ExampleGen's executor: runs its workers on Beam, and checks their result."""

from __future__ import annotations

import dataclasses
import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from google.protobuf import json_format, struct_pb2
from tfx.components.example_gen import base_example_gen_executor, write_split
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.beam_jobs.run import run_beam_pipeline
from components.common import features
from components.common.atomic_write import UNFINISHED, nothing_written
from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen import workers
from components.example_gen.artifact_files import reject_files, sizes_of
from components.example_gen.batches import Batch, SourceKind, make_batches
from components.example_gen.row_counts import NodeResult, require_complete, summarize
from components.example_gen.sources import split_of_input
from components.readers.decompression import CHUNK_BYTES, stream_of
from components.readers.encodings import encoding_hint
from components.readers.formats import has_text_rows
from components.readers.lines import find_encoding, readable


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Executor of ExampleGen.

    Fails with a DataError if a file cannot be read, if there are not exactly two
    labels, if a split lacks one of them, or if too many rows are rejected; with a
    ComponentError if any row was lost.
    """

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Raise an error: the base class requires the method, but `Do` does not use it."""
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
        kind, columns, shard_bytes = _parse_custom_config(exec_properties)
        batches = list(_find_batches(exec_properties, kind, shard_bytes, columns.encoding))
        # On the same file system as the artifact, so that shards are renamed, not copied.
        unfinished = posixpath.join(examples.uri, UNFINISHED)
        fileio.makedirs(unfinished)
        result_file = posixpath.join(unfinished, 'result.json')
        writer = workers.WriteShards(
            kind,
            columns,
            split_train=features.VAL_SPLIT not in {batch.split for batch in batches},
            uri=examples.uri,
            shard_bytes=shard_bytes,
            base=_common_folder([path for batch in batches for path in batch.paths]),
        )
        with run_beam_pipeline(self._make_beam_pipeline(), 'ExampleGen') as pipeline:
            _ = (
                pipeline
                | 'Files' >> beam.Create(batches, reshuffle=True)
                | 'Write' >> beam.ParDo(writer)
                | 'Publish' >> workers.PublishShards(examples.uri, result_file)
            )
        if not fileio.exists(result_file):
            raise nothing_written(examples.uri, 'ExampleGen')
        with fileio.open(result_file) as file:
            result = NodeResult(**json.loads(file.read()))
        fileio.rmtree(unfinished)

        for message, hint in result.fatal:
            raise DataError(message, hint=hint)
        files = sum(len(batch.paths) for batch in batches)
        require_complete(result, files=files, uri=examples.uri)
        counts = {(split, detail): count for split, detail, count in result.counts}
        try:
            summary = summarize(counts, columns, lambda: _encoding_hint(batches), result.groups)
        except DataError as err:
            # The rejects are deleted with the other output of a failed node.
            raise DataError(str(err), hint=f'{err.hint}{_read_first_reject(examples.uri)}') from err
        summary = dataclasses.replace(
            summary,
            sources=tuple(_get_patterns(exec_properties).values()),
            formats=dict(result.formats),
        )
        summary.write(examples.uri)
        splits = [*features.SPLITS, *([features.UNLABELLED_SPLIT] if summary.unlabelled else [])]
        examples.split_names = artifact_utils.encode_split_names(splits)
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(
            examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )


def _parse_custom_config(exec_properties: dict[str, Any]) -> tuple[SourceKind, ColumnSettings, int]:
    """Return how the files are read, their columns, and the bytes of a shard."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], config)
    struct = struct_pb2.Struct()
    config.custom_config.Unpack(struct)
    fields = json_format.MessageToDict(struct)
    columns = ColumnSettings.model_validate(fields['columns'])
    return SourceKind(fields['kind']), columns, int(fields['shard_mib']) << 20


def _find_batches(
    exec_properties: dict[str, Any], kind: SourceKind, batch_bytes: int, encoding: str
) -> Iterator[Batch]:
    for name, pattern in _get_patterns(exec_properties).items():
        paths = sorted(fileio.glob(pattern))
        if not paths:
            raise DataError(
                f'no file matches {posixpath.basename(pattern)} in {posixpath.dirname(pattern)}',
                hint='check that the data still exists',
            )
        sizes = [0] * len(paths)
        if kind is SourceKind.TABLES:
            sizes = sizes_of(paths)
        yield from make_batches(
            kind, split_of_input(name), zip(paths, sizes), batch_bytes, encoding
        )


def _common_folder(paths: Sequence[str]) -> str:
    """Return what all paths begin with, up to a slash."""
    # The function for paths removes one of the slashes of an address.
    prefix = os.path.commonprefix(paths)  # noqa: RUF071
    return prefix[: prefix.rfind('/') + 1]


def _get_patterns(exec_properties: dict[str, Any]) -> dict[str, str]:
    """Return the patterns of the files to read, by the name of their input split."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return {split.name: posixpath.join(base, split.pattern) for split in config.splits}


def _encoding_hint(batches: list[Batch]) -> str:
    for path in dict.fromkeys(path for batch in batches for path in batch.paths):
        if not has_text_rows(path):
            continue
        with fileio.open(path, 'rb') as file, readable(path):
            # TFX's files are not those of `io`.
            stream = stream_of(iter(lambda: file.read(CHUNK_BYTES), b''))
            encoding = find_encoding(stream, posixpath.basename(path))
        if encoding:
            return encoding_hint(encoding)
    return ''


def _read_first_reject(uri: str) -> str:
    for path in reject_files(uri):
        with fileio.open(path) as file:
            reject = json.loads(file.readline())
            return f'; the first rejected row is {reject["where"]} ({reject["reason"]})'
    return ''
