"""The ImportSchemaGen node: the curated schema into the pipeline."""

from __future__ import annotations

import pathlib

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen

CURATED_SCHEMA = pathlib.Path(__file__).with_name('reviews.pbtxt')


def make_schema_gen(schema_file: str) -> ImportSchemaGen:
    """Make the node that imports `schema_file`, a `Schema` as text proto."""
    return ImportSchemaGen(schema_file=schema_file).with_id('SchemaGen')
