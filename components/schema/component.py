"""The ImportSchemaGen node: the curated schema into the pipeline."""

from __future__ import annotations

import pathlib

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen

from components.errors import ConfigError

CURATED_SCHEMA = pathlib.Path(__file__).with_name('reviews.pbtxt')


def make_schema_gen(schema_file: str) -> ImportSchemaGen:
    """Make the node that imports `schema_file`, a `Schema` as text proto."""
    return ImportSchemaGen(schema_file=schema_file).with_id('SchemaGen')


def read_schema(schema_file: str) -> bytes:
    """Return the content of a schema file, having checked that it is one.

    Raises:
        ConfigError: If it cannot be read, or is no `Schema` as text proto.
    """
    try:
        content = pathlib.Path(schema_file).read_bytes()
        text_format.Parse(content, schema_pb2.Schema())
    except (OSError, UnicodeError, text_format.ParseError) as err:
        raise ConfigError(
            f'the schema {schema_file} cannot be used: {err}',
            hint=f'start from a copy of {CURATED_SCHEMA.name}, in components/schema',
        ) from err
    return content
