"""Feature columns from a table to the transform graph."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.common import features
from components.common.errors import DataError
from components.common.settings import ColumnSettings, TextSettings
from components.example_gen.component import make_example_gen
from components.example_gen.sources import discover
from components.example_validator.component import make_example_validator
from components.schema.component import make_schema_gen
from components.statistics_gen.component import make_statistics_gen
from components.transform.component import make_transform
from tests.components.example_gen.samples import encode_table
from tests.components.example_gen.test_executor import generate, resolve
from tests.conftest import LOCAL_BEAM_ARGS

ROWS: list[dict[str, object]] = [
    {
        'text': f'Review {number}.',
        'label': ('neg', 'pos')[number % 2],
        'product': (None, 'tea', 'Käse')[number % 3],
        'stars': (1, 5, None, 3)[number % 4],
        'price': (0.5, None, 3, 2.25, -1e-3)[number % 5],
    }
    for number in range(240)
]
NAMES = ('product', 'stars', 'price')


def execute(node: Any, inputs: dict[str, Any], output: Any, folder: pathlib.Path) -> Any:
    """Run the executor of a node, and return its artifact."""
    executor_class = node.executor_spec.executor_class
    options = {'beam_pipeline_args': LOCAL_BEAM_ARGS} if node.id != 'ExampleValidator' else {}
    context = executor_class.Context(tmp_dir=str(folder / 'tmp'), unique_id='1', **options)
    output.uri = str(folder / output.type_name)
    (key,) = node.outputs if node.id != 'Transform' else ('transform_graph',)
    properties = resolve(node) if node.id == 'ExampleGen' else dict(node.exec_properties)
    executor_class(context).Do(
        {key: [artifact] for key, artifact in inputs.items()}, {key: [output]}, properties
    )
    return output


def test_values_reach_transform_when_some_are_missing(tmp_path: pathlib.Path) -> None:
    data = tmp_path / 'reviews.jsonl'
    data.write_bytes(encode_table(data.name, ROWS))
    columns = ColumnSettings(features=NAMES)
    source = discover(str(data), columns)
    assert source.features == ('product:string', 'stars:int', 'price:float')

    node = make_example_gen(source, columns)
    examples = execute(node, {}, standard_artifacts.Examples(), tmp_path)
    channel = channel_utils.as_channel([examples])
    statistics = standard_artifacts.ExampleStatistics()
    execute(make_statistics_gen(channel), {'examples': examples}, statistics, tmp_path)
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path / 'schema')
    (tmp_path / 'schema').mkdir()
    text = make_schema_gen(None, source.features).exec_properties['schema_text']
    (tmp_path / 'schema' / 'schema.pbtxt').write_text(text)
    inputs = {'statistics': statistics, 'schema': schema}
    validator = make_example_validator(*(channel_utils.as_channel([a]) for a in inputs.values()))
    execute(validator, inputs, standard_artifacts.ExampleAnomalies(), tmp_path)
    transform = make_transform(channel, channel_utils.as_channel([schema]), TextSettings())
    graph = execute(
        transform,
        {'examples': examples, 'schema': schema},
        standard_artifacts.TransformGraph(),
        tmp_path,
    )

    spec = tft.TFTransformOutput(graph.uri).raw_feature_spec()
    found: dict[str, list[Any]] = {name: [] for name in NAMES}
    texts: list[str] = []
    for split in features.SPLITS:
        folder = pathlib.Path(artifact_utils.get_split_uri([examples], split))
        records = tf.data.TFRecordDataset([str(path) for path in folder.iterdir()], 'GZIP')
        parsed = tf.io.parse_example(list(records.as_numpy_iterator()), spec)
        texts += [text.decode() for text in parsed['text'].numpy()]
        for name in NAMES:
            assert isinstance(parsed[name], tf.SparseTensor)
            rows: list[Any] = [None] * len(parsed['text'])
            for (row, _), value in zip(parsed[name].indices.numpy(), parsed[name].values.numpy()):
                rows[row] = value.decode() if isinstance(value, bytes) else value
            found[name] += rows
    by_text = {str(row['text']): row for row in ROWS}
    assert sorted(texts) == sorted(by_text)
    assert found['product'] == [by_text[text]['product'] for text in texts]
    assert found['stars'] == [by_text[text]['stars'] for text in texts]
    prices = [by_text[text]['price'] for text in texts]
    assert found['price'] == [None if price is None else np.float32(price) for price in prices]

    # The cache key of the node covers the columns.
    other = make_example_gen(discover(str(data), ColumnSettings(features=('stars',))), columns)
    assert other.exec_properties['custom_config'] != node.exec_properties['custom_config']


def test_rows_are_rejected_when_a_later_value_has_another_type(tmp_path: pathlib.Path) -> None:
    rows = [{**row, 'stars': 'five' if number == 230 else 5} for number, row in enumerate(ROWS)]
    data = tmp_path / 'reviews.csv'
    data.write_bytes(encode_table(data.name, rows))
    found = generate(data, tmp_path / 'a', features=('stars:int',))
    reason = "text in the int column 'stars'"
    assert found.summary.rejected == {reason: 1}
    assert found.rejects() == [{'reason': reason, 'where': 'reviews.csv:232'}]
    with pytest.raises(DataError, match=rf'0\.4%\) cannot be used \(1 {reason}\)'):
        generate(data, tmp_path / 'b', features=('stars:int',), max_rejected_percent=0.1)
