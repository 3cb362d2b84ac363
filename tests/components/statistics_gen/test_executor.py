from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from components.common.errors import ComponentError, DataError
from components.common.settings import Executors
from components.common.worker_files import StoredValue, WorkerFiles
from components.statistics_gen import workers
from components.statistics_gen.component import make_statistics_gen
from components.statistics_gen.text_statistics import read_text_statistics
from tests.components.trainer.tiny import damage_shard, write_summary
from tests.conftest import LOCAL_BEAM_ARGS

# These texts have equal first 1,024 bytes, which is as far as TFDV reads by default.
LONG = ['x' * 1_500 + end for end in ('a', 'a', 'b')]
SPLITS: dict[str, list[list[str]]] = {
    'train': [['One.', 'Two.', *LONG, 'Once.'], ['One.', 'Très bien', 'One.', LONG[0]]],
    'val': [['Twice.', 'Twice.', 'Once.', '']],
    'test': [[f'Review {number % 2_345}.' for number in range(2_500)]],
}

NAMES = {'text', 'label', 'length', 'product', 'stars', 'price'}


def example(text: str, number: int) -> tf.train.Example:
    example = tf.train.Example()
    feature = example.features.feature
    feature['text'].bytes_list.value.append(text.encode())
    feature['label'].int64_list.value.append(number % 2)
    if text != 'Once.':  # missing from some
        feature['length'].bytes_list.value.append(b'1-10')
    # Feature columns, which examples may lack; the second file of train has no price.
    if number % 3:
        feature['product'].bytes_list.value.append(f'Product {number % 7}'.encode())
    if number % 4:
        feature['stars'].int64_list.value.append(number % 5)
    if number % 5 and text != LONG[0] and 'One' not in text:
        feature['price'].float_list.value.append(number / 8)
    return example


def write_examples(folder: pathlib.Path) -> standard_artifacts.Examples:
    examples = standard_artifacts.Examples()
    examples.uri, examples.span = str(folder), 7
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples.set_string_custom_property('payload_format', 'FORMAT_TF_EXAMPLE')
    examples.set_string_custom_property('file_format', 'tfrecords_gzip')
    for split, shards in SPLITS.items():
        for index, texts in enumerate(shards):
            path = folder / f'Split-{split}' / f'data-{index}.gz'
            path.parent.mkdir(parents=True, exist_ok=True)
            with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
                for number, text in enumerate(texts):
                    writer.write(example(text, number).SerializeToString())
    splits = {split: (0, sum(map(len, shards))) for split, shards in SPLITS.items()}
    write_summary(folder, splits)
    return examples


def execute(
    executor_class: Any,
    examples: standard_artifacts.Examples,
    folder: pathlib.Path,
    beam_args: list[str] = LOCAL_BEAM_ARGS,
) -> standard_artifacts.ExampleStatistics:
    context = executor_class.Context(
        beam_pipeline_args=beam_args, tmp_dir=str(folder / 'tmp'), unique_id='1'
    )
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / 'statistics')
    executor_class(context).Do({'examples': [examples]}, {'statistics': [statistics]}, {})
    return statistics


def our_executor(examples: standard_artifacts.Examples, executors: Executors = 'fast') -> Any:
    node = make_statistics_gen(channel_utils.as_channel([examples]), executors)
    assert node.id == 'StatisticsGen'
    return node.executor_spec.executor_class


def read(artifact: standard_artifacts.ExampleStatistics, split: str) -> Any:
    path = pathlib.Path(artifact.uri, f'Split-{split}', 'FeatureStats.pb')
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
    return dataset


@pytest.fixture(scope='module')
def both(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[standard_artifacts.ExampleStatistics, standard_artifacts.ExampleStatistics]:
    """Return the outputs of this project's executor and of TFX's for the same examples."""
    examples = write_examples(tmp_path_factory.mktemp('examples'))
    return (
        execute(our_executor(examples), examples, tmp_path_factory.mktemp('ours')),
        execute(our_executor(examples, 'stock'), examples, tmp_path_factory.mktemp('tfx')),
    )


@pytest.mark.parametrize('split', SPLITS)
def test_statistics_equal_those_of_tfx_when_sketches_hold_all_values(split: str, both: Any) -> None:
    ours, theirs = (read(artifact, split) for artifact in both)
    assert ours.num_examples == theirs.num_examples == sum(map(len, SPLITS[split]))
    features = [
        {feature.path.step[0]: feature for feature in dataset.features}
        for dataset in (ours, theirs)
    ]
    assert set(features[0]) == set(features[1]) == NAMES
    for name, ours_of_feature in features[0].items():
        theirs_of_feature = features[1][name]
        if ours_of_feature.HasField('num_stats'):
            for stats in (ours_of_feature.num_stats, theirs_of_feature.num_stats):
                # Sums of fractions in another order differ in the last digit.
                stats.mean, stats.std_dev = round(stats.mean, 9), round(stats.std_dev, 9)
        assert ours_of_feature == theirs_of_feature


@pytest.mark.parametrize(('split', 'unique'), [('train', 6), ('val', 3), ('test', 2_345)])
def test_whole_texts_are_counted_when_they_are_long_or_in_several_files(
    split: str, unique: int, both: Any
) -> None:
    (text,) = (f for f in read(both[0], split).features if f.path.step[0] == 'text')
    assert text.string_stats.unique == unique
    if split == 'train':
        top = [(value.value, value.frequency) for value in text.string_stats.top_values]
        assert top[:2] == [(LONG[0], 3), ('One.', 3)]


def test_artifact_has_the_splits_and_span_of_the_examples(both: Any) -> None:
    ours, theirs = both
    assert artifact_utils.decode_split_names(ours.split_names) == list(SPLITS)
    assert ours.span == theirs.span == 7
    rates = [a.get_json_value_custom_property('sample_rate_by_split') for a in both]
    assert rates[0] == rates[1]


def test_text_statistics_are_written_with_those_of_tfdv(both: Any) -> None:
    statistics = read_text_statistics(both[0].uri)
    assert statistics is not None
    train, val, test = statistics.splits
    assert [train.name, val.name, test.name] == ['train', 'val', 'test']
    assert (train.examples, train.positive, train.negative) == (10, 5, 5)
    assert (train.duplicates, val.duplicates, test.duplicates) == (4, 1, 155)
    assert (train.shared, val.shared) == ({'val': 1, 'test': 0}, {'train': 1, 'test': 0})
    assert test.frequent[0] == ('review', 2_500)
    assert (train.nearly_seen, val.seen, test.seen, test.near_duplicates) == (1, 1, 0, 2_499)


def test_text_statistics_are_equal_when_tfx_computes_the_others(both: Any) -> None:
    assert read_text_statistics(both[1].uri) == read_text_statistics(both[0].uri) is not None


def test_workers_share_the_merging_when_a_split_has_many_files(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, '_FILES_PER_MERGE', 3)
    merged: list[int] = []
    merge = workers._merge

    def count_and_merge(stored: Iterable[StoredValue], values: WorkerFiles) -> Any:
        listed = list(stored)
        merged.append(len(listed))
        return merge(listed, values)

    monkeypatch.setattr(workers, '_merge', count_and_merge)
    texts = [f'Text {number}.' for number in range(24)]
    monkeypatch.setitem(SPLITS, 'train', [[text] for text in texts])
    examples = write_examples(tmp_path / 'examples')
    statistics = execute(our_executor(examples), examples, tmp_path)
    assert read(statistics, 'train').num_examples == 24
    # At most 8 values come together in the last worker for train.
    assert sum(merged) >= 24
    assert max(merged) < 15


def test_split_is_refused_when_it_has_no_files(tmp_path: pathlib.Path) -> None:
    examples = write_examples(tmp_path / 'examples')
    (tmp_path / 'examples' / 'Split-val' / 'data-0.gz').unlink()
    with pytest.raises(DataError, match="the split 'val' has no files in ") as caught:
        execute(our_executor(examples), examples, tmp_path)
    assert '--root' in caught.value.hint


@pytest.mark.parametrize(('damage', 'left'), [('dropped', 4), ('truncated', 9), ('duplicated', 16)])
def test_run_fails_when_a_shard_is(damage: str, left: int, tmp_path: pathlib.Path) -> None:
    examples = write_examples(tmp_path / 'examples')
    damage_shard(tmp_path / 'examples' / 'Split-train', damage)
    message = f'^StatisticsGen: expected the 10 examples of train that .* wrote, got {left}$'
    with pytest.raises(ComponentError, match=message):
        execute(our_executor(examples), examples, tmp_path)


def test_run_fails_under_the_executor_of_tfx_when_a_shard_is_truncated(
    tmp_path: pathlib.Path,
) -> None:
    examples = write_examples(tmp_path / 'examples')
    damage_shard(tmp_path / 'examples' / 'Split-train', 'truncated')
    with pytest.raises(ComponentError, match='^StatisticsGen: expected the 10 .* got 9$'):
        execute(our_executor(examples, 'stock'), examples, tmp_path)
