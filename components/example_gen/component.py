"""The ExampleGen node, which reads files and writes examples in splits."""

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
    """An ExampleGen that reads several spans; TFX's reads one."""

    DRIVER_CLASS = Driver


def make_example_gen(
    source: DataSource, columns: ColumnSettings, *, shard_mib: int = DEFAULT_SHARD_MIB
) -> FileBasedExampleGen:
    """Make the node that reads `source`.

    >>> from components.example_gen.batches import SourceKind
    >>> source = DataSource(kind=SourceKind.TABLES, base='/data', patterns=(('all', 'a.csv'),))
    >>> sorted(make_example_gen(source, ColumnSettings()).outputs)
    ['examples']

    Args:
        source: The files; TFX's driver fingerprints them for the cache.
        columns: Which columns of a table hold the text, the label, the split and the group. The
            feature columns are those of `source`.
        shard_mib: MiB of uncompressed examples in an output file, and of the input
            that a worker reads in one go.

    Returns:
        The node; its output `examples` has the splits `train`, `val`, `test`.
    """
    node_class, range_config = FileBasedExampleGen, None
    if source.spans:
        node_class = SpansExampleGen
        range_config = range_config_pb2.RangeConfig(
            rolling_range=range_config_pb2.RollingRange(num_spans=source.spans)
        )
    fields = columns.model_dump(mode='json', exclude={'features'})
    if source.features:
        fields['features'] = list(source.features)
    settings = struct_pb2.Struct()
    settings.update({'kind': source.kind.value, 'columns': fields, 'shard_mib': shard_mib})
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
        # It names the output splits; the executor does not use the hash buckets.
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
