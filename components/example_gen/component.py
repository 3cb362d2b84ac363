"""The ExampleGen node: files in, split and counted examples out."""

from __future__ import annotations

from google.protobuf import struct_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.common import features
from components.common.settings import DEFAULT_SHARD_MIB, ColumnSettings
from components.example_gen.executor import Executor
from components.example_gen.sources import DataSource
from components.example_gen.span_driver import Driver


class SpansExampleGen(FileBasedExampleGen):
    """An ExampleGen that reads several spans, where TFX's reads one."""

    DRIVER_CLASS = Driver


def make_example_gen(
    source: DataSource, columns: ColumnSettings, *, shard_mib: int = DEFAULT_SHARD_MIB
) -> FileBasedExampleGen:
    """Make the node that reads `source`.

    Args:
        source: The files; TFX's driver fingerprints them for the cache.
        columns: What is what in a table.
        shard_mib: MiB of examples, before they are packed, in a file of the output, and
            of the input that a worker reads in one go.

    Returns:
        The node; its output `examples` has the splits `train`, `val`, `test`.
    """
    node_class, range_config = FileBasedExampleGen, None
    if source.spans:
        node_class = SpansExampleGen
        range_config = range_config_pb2.RangeConfig(
            rolling_range=range_config_pb2.RollingRange(num_spans=source.spans)
        )
    settings = struct_pb2.Struct()
    settings.update(
        {'kind': source.kind.value, 'columns': columns.model_dump(), 'shard_mib': shard_mib}
    )
    custom_config = example_gen_pb2.CustomConfig()
    custom_config.custom_config.Pack(settings)
    return node_class(
        input_base=source.input_base,
        input_config=example_gen_pb2.Input(
            splits=[
                example_gen_pb2.Input.Split(name=name, pattern=pattern)
                for name, pattern in source.patterns
            ]
        ),
        # Says nothing to our executor, which splits by itself; names the outputs.
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=[
                    example_gen_pb2.SplitConfig.Split(name=split, hash_buckets=1)
                    for split in features.SPLITS
                ]
            )
        ),
        custom_config=custom_config,
        range_config=range_config,
        custom_executor_spec=executor_spec.BeamExecutorSpec(Executor),
    ).with_id('ExampleGen')
