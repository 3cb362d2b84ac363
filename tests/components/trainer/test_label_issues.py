from __future__ import annotations

import dataclasses
import pathlib

import pytest

from components.common import features
from components.example_gen.origins import OriginBuffer
from components.label_issues.table import read_summary, read_table
from tests.components.trainer.test_run import run
from tests.components.trainer.tiny import LABELS, Tiny, make_reviews, write_split, write_summary


def write_flipped(tiny: Tiny, folder: pathlib.Path, shards: int) -> tuple[Tiny, set[str]]:
    """Write splits in which every tenth label is wrong; return them and the places of these."""
    examples = folder / 'examples'
    wrong = set()
    counts = {}
    for seed, split in enumerate((features.TRAIN_SPLIT, features.VAL_SPLIT)):
        # Of the short reviews, some have no word that tells their label.
        reviews = [r for r in make_reviews(900, seed + 10) if len(r[0].split()) > 20]
        reviews = [(text, label ^ (row % 10 == 0)) for row, (text, label) in enumerate(reviews)]
        wrong |= {f'{split}.csv:{row + 2}' for row in range(0, len(reviews), 10)}
        size = -(-len(reviews) // shards)
        parts = [reviews[start : start + size] for start in range(0, len(reviews), size)]
        write_split(examples / f'Split-{split}', parts)
        (examples / 'report').mkdir(exist_ok=True)
        for number, part in enumerate(parts):
            buffer = OriginBuffer()
            for row in range(len(part)):
                buffer.add(f'{split}.csv:{number * size + row + 2}')
            name = f'origins-{split}-{number:05}-of-{len(parts):05}.txt.gz'
            (examples / 'report' / name).write_bytes(buffer.content())
        positive = sum(label for _, label in reviews)
        counts[split] = len(reviews) - positive, positive
    write_summary(examples, counts)
    return dataclasses.replace(tiny, examples=examples), wrong


@pytest.mark.parametrize('shards', [1, 7])
def test_wrong_labels_come_first_when_a_model_has_out_of_fold_scores(
    shards: int, tiny: Tiny, tmp_path: pathlib.Path
) -> None:
    data, wrong = write_flipped(tiny, tmp_path, shards)
    run(data, tmp_path, architecture='ngram')
    issues = read_table(str(tmp_path / 'run'))
    found = [issue.where in wrong for issue in issues]
    # Words of the other label are in no review, so the scores leave no doubt.
    assert sum(found) > 0.9 * len(wrong)
    assert all(found[: len(wrong) * 9 // 10])
    assert {issue.given for issue in issues} == set(LABELS)
    summary = read_summary(str(tmp_path / 'run'))
    assert summary is not None
    assert sum(summary.counts.values()) == len(issues)
    assert [each.issue.where for each in summary.shown] == [i.where for i in issues[:20]]
