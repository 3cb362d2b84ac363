from __future__ import annotations

import gzip
import pathlib

import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from tfx_bsl.public.tfxio import RecordBatchesOptions, TFExampleRecord

from components.common import features
from components.example_gen.examples import RecordWriter, Serializer
from components.readers.feature_columns import FeatureColumn
from components.readers.records import Value

COLUMNS = [
    FeatureColumn('stars', 'int'),
    FeatureColumn('Preis in €', 'float'),
    FeatureColumn('product', 'string'),
]
LONG = 'x' * 70_000
MAX_INT, MAX_FLOAT = (1 << 63) - 1, 3.4028234663852886e38


def serialize_with_tensorflow(text: str, label: int | None, values: list[Value | None]) -> bytes:
    found = tf.train.Example()
    feature = found.features.feature
    feature['text'].bytes_list.value.append(text.encode())
    feature['length'].bytes_list.value.append(features.length_bucket(len(text.split())).encode())
    if label is not None:
        feature['label'].int64_list.value.append(label)
    stars, price, product = values
    if stars is not None:
        feature['stars'].int64_list.value.append(stars)
    if price is not None:
        feature['Preis in €'].float_list.value.append(price)
    if product is not None:
        feature['product'].bytes_list.value.append(product.encode())
    return bytes(found.SerializeToString(deterministic=True))


@given(
    st.text(),
    st.sampled_from([0, 1, None]),
    st.tuples(
        st.none() | st.integers(-MAX_INT - 1, MAX_INT),
        st.none() | st.floats(-MAX_FLOAT, MAX_FLOAT),
        st.none() | st.text(),
    ),
)
@example('', 0, (0, 0.0, ''))
@example('.', 1, (-1, -0.0, None))
@example('Très bien, 傑作\0', None, (127, 1e-45, '\n'))
@example('word ' * 300, 1, (128, 0.1, LONG))
@example(LONG, 0, (MAX_INT, MAX_FLOAT, 'x' * 127))
@example('x' * 128, 0, (-MAX_INT - 1, -MAX_FLOAT, 'x' * 16_384))
@example('b', 1, (None, None, None))
def test_bytes_are_those_of_tensorflow_when_values_are_any(
    text: str, label: int | None, values: tuple[Value | None, ...]
) -> None:
    found = Serializer(COLUMNS).serialize(text, label, values)
    assert found == serialize_with_tensorflow(text, label, list(values))


@pytest.mark.parametrize('records', [[], [b''], [b'first', b'', LONG.encode() * 9, b'last']])
@pytest.mark.parametrize('store', ['', 'ram:/'])
def test_file_is_that_of_tensorflow_when_it_is_decompressed(
    records: list[bytes], store: str, tmp_path: pathlib.Path
) -> None:
    path, expected = f'{store}{tmp_path}/ours.gz', str(tmp_path / 'expected.gz')
    tf.io.gfile.makedirs(f'{store}{tmp_path}')
    with tf.io.TFRecordWriter(expected, 'GZIP') as file:
        for record in records:
            file.write(record)
    writer = RecordWriter(path)
    for record in records:
        writer.write(record)
    writer.close()

    assert list(tf.data.TFRecordDataset(path, 'GZIP').as_numpy_iterator()) == records
    with tf.io.gfile.GFile(path, 'rb') as file:
        found = gzip.decompress(file.read())
    assert found == gzip.decompress(pathlib.Path(expected).read_bytes())


def test_examples_are_read_by_tfx_when_they_are_written_without_tensorflow(
    tmp_path: pathlib.Path,
) -> None:
    path = str(tmp_path / 'examples.gz')
    writer, serializer = RecordWriter(path), Serializer(COLUMNS)
    for number in range(1_000):
        writer.write(serializer.serialize(f'text {number}', number % 2, (number, 0.5, 'Tee')))
    writer.close()
    options = RecordBatchesOptions(1_000, num_epochs=1, shuffle=False)
    source = TFExampleRecord(path, telemetry_descriptors=['test'])
    (batch,) = source.RecordBatches(options)
    found = dict(zip(batch.schema.names, batch.columns))
    assert found['text'].to_pylist() == [[f'text {number}'.encode()] for number in range(1_000)]
    assert found['stars'].to_pylist() == [[number] for number in range(1_000)]
