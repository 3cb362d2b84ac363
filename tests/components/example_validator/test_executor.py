from __future__ import annotations

import pathlib
import re
from collections.abc import Callable

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.common.errors import DataError
from components.example_validator.component import make_example_validator
from components.schema.component import CURATED_SCHEMA

SPLITS = ['train', 'val', 'test']


def reviews(count: int = 20) -> pd.DataFrame:
    return pd.DataFrame(
        {
            'text': [f'Review {number}.' for number in range(count)],
            'label': [number % 2 for number in range(count)],
            'length': ['1-10', '401+'] * (count // 2) + ['11-50'] * (count % 2),
        }
    )


def validate(
    folder: pathlib.Path, *further: str, **bad: pd.DataFrame
) -> standard_artifacts.ExampleAnomalies:
    """Run the node on statistics of the splits, which fit the schema unless given in `bad`."""
    splits = [*SPLITS, *further]
    statistics, schema, anomalies = (
        standard_artifacts.ExampleStatistics(),
        standard_artifacts.Schema(),
        standard_artifacts.ExampleAnomalies(),
    )
    for artifact in (statistics, schema, anomalies):
        artifact.uri = str(folder / artifact.type_name)
    statistics.split_names = artifact_utils.encode_split_names(splits)
    for split in splits:
        path = pathlib.Path(artifact_utils.get_split_uri([statistics], split), 'FeatureStats.pb')
        path.parent.mkdir(parents=True)
        frame = bad.get(split, reviews())
        found = (
            tfdv.generate_statistics_from_dataframe(frame)
            if len(frame)
            else statistics_pb2.DatasetFeatureStatisticsList(datasets=[{}])
        )
        path.write_bytes(found.SerializeToString())
    pathlib.Path(schema.uri).mkdir()
    (pathlib.Path(schema.uri) / 'schema.pbtxt').write_bytes(CURATED_SCHEMA.read_bytes())

    node = make_example_validator(
        channel_utils.as_channel([statistics]), channel_utils.as_channel([schema])
    )
    node.executor_spec.executor_class().Do(
        {'statistics': [statistics], 'schema': [schema]},
        {'anomalies': [anomalies]},
        dict(node.exec_properties),
    )
    return anomalies


def test_data_passes_when_it_fits_the_schema(tmp_path: pathlib.Path) -> None:
    anomalies = validate(tmp_path)
    assert artifact_utils.decode_split_names(anomalies.split_names) == SPLITS
    assert anomalies.get_json_value_custom_property('blessed') == dict.fromkeys(SPLITS, 1)


def test_split_without_labels_passes_when_only_the_label_is_missing(tmp_path: pathlib.Path) -> None:
    frame = reviews().drop(columns='label')
    anomalies = validate(tmp_path / 'good', 'unsup', unsup=frame)
    assert artifact_utils.decode_split_names(anomalies.split_names) == [*SPLITS, 'unsup']
    with pytest.raises(DataError, match="unsup: feature 'length'"):
        validate(tmp_path / 'bad', 'unsup', unsup=frame.drop(columns='length'))
    with pytest.raises(DataError, match="val: feature 'label'"):
        validate(tmp_path / 'worse', 'unsup', unsup=frame, val=frame)


Change = Callable[[pd.DataFrame], pd.DataFrame]


def set_first(column: str, value: object) -> Change:
    """Return a function that replaces the first value of a column."""
    return lambda frame: frame.assign(**{column: [value, *frame[column][1:]]})


def cast_labels(kind: type) -> Change:
    return lambda frame: frame.assign(label=frame['label'].astype(kind))


@pytest.mark.parametrize('split', ['train', 'test'])
@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (set_first('text', None), r"feature 'text': .*not always present.* actual = 0.95\d*"),
        (lambda frame: frame.drop(columns='text'), "feature 'text': Column is completely missing"),
        (set_first('label', 2), "feature 'label': Unexpectedly large value: 2"),
        (set_first('label', -1), "feature 'label': Unexpectedly small value: -1"),
        (cast_labels(str), "feature 'label': Expected data of type: INT but got STRING"),
        (cast_labels(float), "feature 'label': Expected data of type: INT but got FLOAT"),
        (set_first('length', '1-11'), r"feature 'length': .*missing from the schema: 1-11 \(~5%\)"),
        (lambda frame: frame.assign(stars=5), r"feature 'stars': New column .*not in schema\)"),
        (lambda frame: frame[:19], 'The dataset has 19 examples, which is fewer than expected'),
        (lambda frame: frame[:0], '.*no examples'),
    ],
    ids=[
        'text_missing',
        'no_texts',
        'label_too_large',
        'label_too_small',
        'label_as_text',
        'label_as_fraction',
        'unknown_bucket',
        'unknown_column',
        'too_few_examples',
        'no_examples',
    ],
)
def test_error_names_split_feature_and_anomaly_when_data_does_not_fit(
    change: Change, message: str, split: str, tmp_path: pathlib.Path
) -> None:
    pattern = f'^the data does not fit the schema: {split}: {message}$'
    with pytest.raises(DataError, match=pattern) as caught:
        validate(tmp_path, **{split: change(reviews())})
    assert caught.value.exit_code == 4
    assert '--set data.schema_file=PATH' in caught.value.hint


def test_error_lists_five_anomalies_when_there_are_more(tmp_path: pathlib.Path) -> None:
    frame = reviews(10)
    for column, value in (('text', None), ('label', 2), ('length', '1-11')):
        frame = set_first(column, value)(frame)
    with pytest.raises(DataError, match=r'; and 3 more$') as caught:
        validate(tmp_path, train=frame, val=frame)
    parts = re.split(r'; |: (?=train|val)', str(caught.value))
    assert [part[:18] for part in parts[1:6]] == [
        "train: feature 'la",
        "train: feature 'le",
        "train: feature 'te",
        'train: The dataset',
        "val: feature 'labe",
    ]


def test_anomalies_are_kept_when_the_node_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='test: The dataset has 19 examples'):
        validate(tmp_path, test=reviews(19))
    written = (tmp_path / 'ExampleAnomalies' / 'Split-test' / 'SchemaDiff.pb').read_bytes()
    found = anomalies_pb2.Anomalies.FromString(written)
    assert found.dataset_anomaly_info.description.startswith('The dataset has 19')
