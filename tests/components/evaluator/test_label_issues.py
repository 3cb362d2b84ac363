from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.common.settings import Executors
from components.evaluator.label_issues import write_test_label_issues
from components.evaluator.score_files import ScoreColumns
from components.evaluator.settings import GateSettings
from components.example_gen.origins import OriginBuffer
from components.label_issues.table import read_summary, read_table
from tests.components.evaluator.evaluated import evaluate
from tests.components.trainer.tiny import (
    LABELS,
    Exported,
    Tiny,
    make_reviews,
    write_split,
    write_summary,
)

GATE = GateSettings(min_accuracy=0.1, min_auc=0.51, max_accuracy_drop=0.5)


def write_origins(examples: pathlib.Path, shards: list[list[int]]) -> None:
    """Write the origins of `test`: the number of each example is its line."""
    (examples / 'report').mkdir()
    for number, lines in enumerate(shards):
        buffer = OriginBuffer()
        for line in lines:
            buffer.add(f'reviews.csv:{line}')
        name = f'origins-test-{number:05}-of-{len(shards):05}.txt.gz'
        (examples / 'report' / name).write_bytes(buffer.content())


@pytest.mark.parametrize('executors', ['fast', 'stock'])
def test_flipped_labels_of_test_come_first_when_the_model_is_good(
    executors: Executors, exported: Exported, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    reviews = [review for review in make_reviews(600, 77) if len(review[0].split()) > 20]
    flipped = {number for number in range(len(reviews)) if number % 15 == 0}
    data = [(text, label ^ (number in flipped)) for number, (text, label) in enumerate(reviews)]
    # An uneven cut into files.
    shards = [[*range(0, 3)], [*range(3, 200)], [*range(200, len(data))]]
    examples = tmp_path / 'examples'
    write_split(examples / 'Split-test', [[data[number] for number in shard] for shard in shards])
    write_origins(examples, shards)
    positive = sum(label for _, label in data)
    write_summary(examples, {'test': (len(data) - positive, positive)})
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / 'model')
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model' / 'Format-Serving').symlink_to(exported.serving)
    found = evaluate(
        tmp_path / 'out',
        dataclasses.replace(tiny, examples=examples),
        model,
        None,
        GATE,
        executors,
    )
    issues = read_table(found.evaluation)
    lines = [issue.line for issue in issues]
    assert set(lines[: len(flipped) * 3 // 4]) <= flipped
    assert len(flipped & set(lines)) > 0.9 * len(flipped)
    for issue in issues:
        assert issue.line is not None
        assert (issue.split, issue.file) == ('test', 'reviews.csv')
        assert issue.given == LABELS[data[issue.line][1]]
        assert (issue.probability > 0.5) == (issue.suggested == LABELS[1])
    summary = read_summary(found.evaluation)
    assert summary is not None
    assert summary.counts == {'test': len(issues)}
    assert all(each.text == data[each.issue.line or 0][0] for each in summary.shown)


def test_row_counts_the_examples_of_files_before_when_there_are_several(
    tmp_path: pathlib.Path,
) -> None:
    examples = tmp_path / 'examples'
    reviews = [(f'text {number}', number % 2) for number in range(40)]
    write_split(examples / 'Split-test', [reviews[:1], reviews[1:]])
    write_origins(examples, [[2], [*range(3, 42)]])
    probabilities = np.array([0.1, 0.9] * 20)
    probabilities[[0, 33]] = 0.99, 0.02
    probabilities[5] = np.nan
    scores = ScoreColumns(
        files=['a', 'b'],
        file_index=np.array([0] + [1] * 39),
        rows=np.array([0, *range(39)]),
        labels=np.array([0, 1] * 20, np.int8),
        predictions={'candidate': probabilities, 'baseline': 1 - probabilities},
        columns={},
    )
    out = str(tmp_path / 'out')
    write_test_label_issues(out, str(examples), scores, candidate='candidate', labels=('n', 'p'))
    assert [(i.line, i.given, i.suggested, i.probability) for i in read_table(out)] == [
        (2, 'n', 'p', 0.99),
        (35, 'p', 'n', 0.02),
    ]
