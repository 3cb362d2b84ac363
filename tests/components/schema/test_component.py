from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx.types import standard_artifacts

from components.common import features
from components.common.errors import ConfigError
from components.common.settings import ColumnSettings
from components.example_gen.batches import SourceKind
from components.example_gen.examples import Serializer
from components.example_gen.source_files import read_files
from components.readers.records import Record
from components.schema.component import CURATED_SCHEMA, make_schema_gen, read_schema
from components.schema.executor import SCHEMA_TEXT_KEY


@pytest.fixture(scope='module')
def schema() -> schema_pb2.Schema:
    return text_format.Parse(CURATED_SCHEMA.read_text(encoding='utf-8'), schema_pb2.Schema())


def test_length_buckets_equal_those_of_features(
    schema: schema_pb2.Schema,
) -> None:
    domains = {domain.name: tuple(domain.value) for domain in schema.string_domain}
    length = next(f for f in schema.feature if f.name == features.LENGTH_KEY)
    assert domains[length.domain] == features.LENGTH_BUCKETS


def test_each_feature_has_exactly_one_value(
    schema: schema_pb2.Schema,
) -> None:
    assert schema_utils.schema_as_feature_spec(schema).feature_spec == {
        features.TEXT_KEY: tf.io.FixedLenFeature([], tf.string),
        features.LABEL_KEY: tf.io.FixedLenFeature([], tf.int64),
        # A client of the model need not send it.
        features.LENGTH_KEY: tf.io.VarLenFeature(tf.string),
    }
    assert {f.presence.min_fraction for f in schema.feature} == {1.0}
    assert {f.presence.min_count for f in schema.feature} == {1}
    length = next(f for f in schema.feature if f.name == features.LENGTH_KEY)
    assert (length.value_count.min, length.value_count.max) == (1, 1)


def test_schema_has_the_features_that_example_gen_writes(
    schema: schema_pb2.Schema, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'reviews.csv').write_text('text,label\nGood,pos\nBad film,neg\n')
    paths = [str(tmp_path / 'reviews.csv')]
    records = read_files(SourceKind.TABLES, paths, ColumnSettings(), None)
    written = [
        tf.train.Example.FromString(Serializer().serialize(record.text, 1))
        for record in records
        if isinstance(record, Record)
    ]
    kinds = {'BYTES': 'bytes_list', 'INT': 'int64_list'}
    expected = {f.name: kinds[schema_pb2.FeatureType.Name(f.type)] for f in schema.feature}
    assert [
        {name: value.WhichOneof('kind') for name, value in example.features.feature.items()}
        for example in written
    ] == [expected, expected]


def test_node_imports_the_file_when_it_runs(tmp_path: pathlib.Path) -> None:
    node = make_schema_gen(None)
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path)
    node.executor_spec.executor_class().Do({}, {'schema': [artifact]}, dict(node.exec_properties))
    (imported,) = tmp_path.iterdir()
    assert node.id == 'SchemaGen'
    assert imported.read_bytes() == CURATED_SCHEMA.read_bytes()


@pytest.mark.parametrize(
    ('content', 'message'),
    [(None, 'No such file'), (b'feature { nome: "text" }', 'nome'), (b'\xff\xfe', 'x.pbtxt')],
    ids=['missing', 'no_schema', 'no_text'],
)
def test_schema_is_refused_when_it_cannot_be_read(
    content: bytes | None, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / 'x.pbtxt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_schema(str(path))
    assert 'reviews.pbtxt' in caught.value.hint


def test_schema_has_an_optional_feature_for_each_column() -> None:
    node = make_schema_gen(None, ('product:string', 'stars:int', 'price:float'))
    schema = text_format.Parse(node.exec_properties['schema_text'], schema_pb2.Schema())
    specs = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert {name: specs[name] for name in ('product', 'stars', 'price')} == {
        'product': tf.io.VarLenFeature(tf.string),
        'stars': tf.io.VarLenFeature(tf.int64),
        'price': tf.io.VarLenFeature(tf.float32),
    }


def test_schema_file_is_refused_when_it_does_not_cover_a_column(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'x.pbtxt'
    path.write_text(CURATED_SCHEMA.read_text() + 'feature { name: "stars" type: INT }')
    assert make_schema_gen(str(path), ('stars:int',)).exec_properties['schema_text']
    for feature, message in {
        'stars:float': "'stars' with the type FLOAT, but it has the type INT",
        'product:string': "'product' with the type BYTES, but it is missing",
    }.items():
        with pytest.raises(ConfigError, match=message) as caught:
            make_schema_gen(str(path), (feature,))
        assert 'pipeline_runner.py schema' in caught.value.hint


def test_length_is_optional_when_another_example_gen_is_used() -> None:
    text = make_schema_gen(None, requires_length=False).exec_properties[SCHEMA_TEXT_KEY]
    changed = text_format.Parse(text, schema_pb2.Schema())
    presence = {feature.name: feature.HasField('presence') for feature in changed.feature}
    assert presence == {'text': True, 'label': True, 'length': False}
