from __future__ import annotations

import json
import pathlib

import pytest
from tfx.types import standard_artifacts

from components.example_gen.group_counts import GroupCounts
from components.example_gen.summary import ExamplesSummary
from components.statistics_gen.text_statistics import (
    TEXT_STATISTICS_FILE,
    SplitStatistics,
    TextStatistics,
    to_json,
)
from components.transform.properties import STOCK_REASON_PROPERTY
from pipeline.results.run_findings import RunFindings


@pytest.mark.parametrize(
    ('vocabularies', 'reason', 'note'),
    [
        ({'words': 1_234}, '', '1,234 words in the vocabulary'),
        ({'texts': 2, 'w': 40}, '', '2 words in texts; 40 words in w'),
        ({'w': 2}, 'statistics are wanted', "2 words in w; TFX's executor: statistics are wanted"),
        ({}, 'the analyzer mean', "TFX's executor: the analyzer mean"),
        ({}, '', ''),
    ],
)
def test_note_of_transform_counts_words_and_names_the_executor(
    vocabularies: dict[str, int], reason: str, note: str, tmp_path: pathlib.Path
) -> None:
    graph = standard_artifacts.TransformGraph()
    graph.uri = str(tmp_path)
    graph.set_string_custom_property(STOCK_REASON_PROPERTY, reason)
    for folder in ('transform_fn/assets', 'transformed_metadata'):
        (tmp_path / folder).mkdir(parents=True)
    for name, words in vocabularies.items():
        (tmp_path / 'transform_fn' / 'assets' / name).write_text('word\n' * words)
    if vocabularies:
        path = tmp_path / 'transformed_metadata' / 'asset_map'
        path.write_text(json.dumps({name: name for name in vocabularies}))
    assert RunFindings().add('Transform', {'transform_graph': [graph]}) == note


@pytest.mark.parametrize(
    ('seen', 'nearly_seen', 'note'),
    [
        (0, 0, ''),
        (186, 186, 'of 200 texts of test, 186 (93.0%) are in train or val'),
        (
            186,
            190,
            'of 200 texts of test, 186 (93.0%) are in train or val, 190 (95.0%) if numbers are '
            'ignored',
        ),
        (0, 4, 'of 200 texts of test, 4 (2.0%) are in train or val if numbers are ignored'),
        (None, None, ''),
    ],
)
def test_note_of_statistics_says_which_test_texts_training_has(
    seen: int | None, nearly_seen: int | None, note: str, tmp_path: pathlib.Path
) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    split = SplitStatistics(
        name='test',
        examples=200,
        positive=100,
        negative=100,
        lengths=[],
        words=0,
        frequent=[],
        unknown=None,
        duplicates=0,
        shared={},
        seen=seen,
        nearly_seen=nearly_seen,
    )
    found = TextStatistics(splits=[split], drift={}, fingerprint_words=[])
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(to_json(found))
    assert RunFindings().add('StatisticsGen', {'statistics': [statistics]}) == note


def test_note_of_statistics_is_empty_when_there_are_none(tmp_path: pathlib.Path) -> None:
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(tmp_path)
    assert RunFindings().add('StatisticsGen', {'statistics': [statistics]}) == ''


def test_note_of_examples_counts_groups_when_a_column_names_them(tmp_path: pathlib.Path) -> None:
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path)
    groups = GroupCounts(column='film', sampled=40, shared=8)
    splits = dict.fromkeys(('train', 'val', 'test'), (5, 5))
    summary = ExamplesSummary(splits=splits, labels=('neg', 'pos'), rejected={}, groups=groups)
    summary.write(examples.uri)
    assert RunFindings().add('ExampleGen', {'examples': [examples]}) == (
        "train 10, val 10, test 10; 'neg' or 'pos'; 40 values of 'film', 8 (20.0%) of them in test "
        'and in train or val'
    )
