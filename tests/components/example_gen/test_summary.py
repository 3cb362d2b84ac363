from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow as tf

from components.common.errors import DataError
from components.example_gen.summary import ExamplesSummary

SUMMARY = ExamplesSummary(
    splits={'train': (6, 7), 'val': (2, 1), 'test': (3, 3)},
    labels=('négatif', '傑作'),
    rejected={'no label': 2, 'not UTF-8': 1},
)


def test_summary_is_equal_when_it_is_read_back(tmp_path: pathlib.Path) -> None:
    SUMMARY.write(str(tmp_path))
    assert ExamplesSummary.read(str(tmp_path)) == SUMMARY
    assert json.loads((tmp_path / 'summary.json').read_bytes())['splits']['train'] == [6, 7]


def test_totals_are_sums_when_there_are_two_labels_and_two_reasons() -> None:
    assert [SUMMARY.examples(split) for split in ('train', 'val', 'test')] == [13, 3, 6]
    assert SUMMARY.rejects == 3


def write_split(folder: pathlib.Path, labels: list[int | bytes | None]) -> None:
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / 'data.gz'), 'GZIP') as writer:
        for label in labels:
            example = tf.train.Example()
            feature = example.features.feature
            feature['text'].bytes_list.value.append(b'Fine.')
            if isinstance(label, int):
                feature['label'].int64_list.value.append(label)
            elif label is not None:
                feature['label'].bytes_list.value.append(label)
            writer.write(example.SerializeToString())


def test_examples_are_counted_when_another_example_gen_wrote_them(tmp_path: pathlib.Path) -> None:
    write_split(tmp_path / 'Split-train', [0, 1, 1])
    write_split(tmp_path / 'Split-test', [0])
    write_split(tmp_path / 'Split-unsup', [None, None])
    assert ExamplesSummary.read(str(tmp_path)) == ExamplesSummary(
        splits={'train': (1, 2), 'test': (1, 0)}, labels=('0', '1'), rejected={}, unlabelled=2
    )


@pytest.mark.parametrize('label', [2, b'pos', None], ids=repr)
def test_labels_are_refused_when_they_are_not_0_or_1(
    label: int | bytes | None, tmp_path: pathlib.Path
) -> None:
    write_split(tmp_path / 'Split-train', [0, 1, label])
    with pytest.raises(DataError, match='^expected the label 0 or 1 as an integer in each'):
        ExamplesSummary.read(str(tmp_path))
