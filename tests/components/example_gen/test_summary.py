from __future__ import annotations

import json
import pathlib

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
