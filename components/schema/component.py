"""The SchemaGen node: imports a schema file into the pipeline."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base import executor_spec

from components.common.errors import ConfigError
from components.common.features import LENGTH_KEY
from components.readers.feature_columns import FeatureColumn, parse_features
from components.schema.executor import SCHEMA_TEXT_KEY, Executor

CURATED_SCHEMA = pathlib.Path(__file__).with_name('reviews.pbtxt')
_TYPES = {'string': 'BYTES', 'int': 'INT', 'float': 'FLOAT'}


class InlineSchemaGen(ImportSchemaGen):
    """TFX's ImportSchemaGen with the executor that needs no file."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_schema_gen(
    schema_file: str | None, features: Sequence[str] = (), *, requires_length: bool = True
) -> ImportSchemaGen:
    """Make the node that imports a schema.

    The file is read now; its content is a parameter of the node.

    >>> make_schema_gen(None).id
    'SchemaGen'

    Args:
        schema_file: A `Schema` as text proto; None: the curated one, to which the
            feature columns are added.
        features: The feature columns, as `NAME:TYPE`.
        requires_length: Whether the curated schema requires the feature `length`, which
            only the ExampleGen of this project writes.

    Raises:
        ConfigError: If the file cannot be read, is not a `Schema` as text proto, or
            lacks a feature column.
    """
    columns = parse_features(features)
    if schema_file is None:
        schema_file = str(CURATED_SCHEMA)
        text = read_schema(schema_file) + ''.join(map(_feature_text, columns))
        if not requires_length:
            text = _without_length(text)
    else:
        text = read_schema(schema_file)
        _require_features(text, schema_file, columns)
    # Only the name: the path would differ from machine to machine.
    node = InlineSchemaGen(schema_file=pathlib.Path(schema_file).name).with_id('SchemaGen')
    node.exec_properties[SCHEMA_TEXT_KEY] = text
    return node


def _without_length(text: str) -> str:
    schema = text_format.Parse(text, schema_pb2.Schema())
    (length,) = (feature for feature in schema.feature if feature.name == LENGTH_KEY)
    length.ClearField('presence')
    return str(text_format.MessageToString(schema))


def _feature_text(column: FeatureColumn) -> str:
    # Without a shape, an example may lack the feature.
    kind = _TYPES[str(column.type)]
    return f'feature {{\n  name: "{column.name}"\n  type: {kind}\n}}\n'


def _require_features(text: str, schema_file: str, columns: Sequence[FeatureColumn]) -> None:
    schema = text_format.Parse(text, schema_pb2.Schema())
    types = {each.name: schema_pb2.FeatureType.Name(each.type) for each in schema.feature}
    for name, kind in columns:
        expected, found = _TYPES[str(kind)], types.get(name)
        if found != expected:
            what = f'has the type {found}' if found else 'is missing'
            raise ConfigError(
                f'the schema {schema_file} needs the feature column {name!r} with the type '
                f'{expected}, but it {what}',
                hint='add it, or print one: run without data.schema_file, then '
                'pipeline_runner.py schema',
            )


def read_schema(schema_file: str) -> str:
    """Return the text of a schema file.

    Raises:
        ConfigError: If it cannot be read, or is not a `Schema` as text proto.
    """
    try:
        text = pathlib.Path(schema_file).read_bytes().decode('utf-8')
        text_format.Parse(text, schema_pb2.Schema())
    except (OSError, UnicodeError, text_format.ParseError) as err:
        raise ConfigError(
            f'the schema {schema_file} is not a Schema as text proto: {err}',
            hint=f'start from a copy of {CURATED_SCHEMA.name}, in components/schema',
        ) from err
    return text
