from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx.types import standard_artifacts

from components import features
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover
from components.schema.component import CURATED_SCHEMA, make_schema_gen
from components.settings import ColumnSettings


@pytest.fixture(scope='module')
def schema() -> schema_pb2.Schema:
    return text_format.Parse(CURATED_SCHEMA.read_text(encoding='utf-8'), schema_pb2.Schema())


def test_length_buckets_are_those_of_features_when_the_schema_is_read(
    schema: schema_pb2.Schema,
) -> None:
    domains = {domain.name: tuple(domain.value) for domain in schema.string_domain}
    length = next(f for f in schema.feature if f.name == features.LENGTH_KEY)
    assert domains[length.domain] == features.LENGTH_BUCKETS


def test_each_feature_is_one_value_always_when_the_schema_is_read(
    schema: schema_pb2.Schema,
) -> None:
    assert schema_utils.schema_as_feature_spec(schema).feature_spec == {
        features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
        features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
        features.LENGTH_KEY: tf.io.FixedLenFeature([], tf.string),
    }
    assert {f.presence.min_fraction for f in schema.feature} == {1.0}
    assert {f.presence.min_count for f in schema.feature} == {1}


def test_node_imports_the_file_when_it_runs(tmp_path: pathlib.Path) -> None:
    node = make_schema_gen(str(CURATED_SCHEMA))
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path)
    node.executor_spec.executor_class().Do({}, {'schema': [artifact]}, dict(node.exec_properties))
    (imported,) = tmp_path.iterdir()
    assert node.id == 'SchemaGen'
    assert imported.read_bytes() == CURATED_SCHEMA.read_bytes()
