"""The SchemaGen node: imports a schema file into the pipeline."""

from __future__ import annotations

import pathlib

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base import executor_spec

from components.common.errors import ConfigError
from components.schema.executor import SCHEMA_TEXT_KEY, Executor

CURATED_SCHEMA = pathlib.Path(__file__).with_name('reviews.pbtxt')


class InlineSchemaGen(ImportSchemaGen):
    """TFX's ImportSchemaGen with the executor that needs no file."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_schema_gen(schema_file: str) -> ImportSchemaGen:
    """Make the node that imports `schema_file`, a `Schema` as text proto.

    The file is read now; its content is a parameter of the node.

    >>> make_schema_gen(str(CURATED_SCHEMA)).id
    'SchemaGen'

    Raises:
        ConfigError: If it cannot be read, or is not a `Schema` as text proto.
    """
    text = read_schema(schema_file)
    # Only the name: the path would differ from machine to machine.
    node = InlineSchemaGen(schema_file=pathlib.Path(schema_file).name).with_id('SchemaGen')
    node.exec_properties[SCHEMA_TEXT_KEY] = text
    return node


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
