"""Suspected label errors of a run on the sample, whose wrong labels are known."""

from __future__ import annotations

import csv
import pathlib

import pytest

from tests.conftest import SAMPLE, Finished, call_command

# Lines of data/sample/reviews.csv whose label is not the sentiment that the text was written for.
# The generator in the history of this repository (data/make_sample.py) draws them.
_LINES = """
21 73 182 211 281 288 321 327 336 341 415 449 462 465 568 655 701 721 722 726 756 795 825
856 871 888 906 917 918 923 932 955 964 1029 1146 1151 1265 1304 1318 1353 1465 1497 1532
1543 1558 1598 1600 1616 1637 1669 1676 1742 1795 1889 1919 1960 1965 2058 2088 2099 2156
2236 2250 2262 2292 2302 2312 2368 2396 2400 2489 2527 2575 2646 2654 2660 2677 2737 2751
2752 2765 2769 2806 2919 2920 2922 2954 2985 3091 3174 3204 3210 3228 3310 3337 3363 3410
3430 3451 3527 3539 3555 3576 3617 3639 3654 3669 3699 3724 3762 3767 3815 3819 3848 3850
3876 3902 3949 3973 3997 3998 4034 4061 4096 4160 4167 4197 4205 4221 4229 4263 4284 4344
4353 4412 4492 4615 4678 4683 4722 4765 4825 4832 4850 4874 5003 5012 5034 5067 5070 5110
5112 5115 5134 5144 5155 5185 5234 5235 5240
"""
WRONG = {int(line) for line in _LINES.split()}


def read_issues(run: Finished, home: pathlib.Path) -> list[dict[str, str]]:
    with (home / run.json['label_issues']['file']).open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_most_wrong_labels_of_the_sample_are_listed_when_a_run_ends(
    first: Finished, home: pathlib.Path
) -> None:
    issues = read_issues(first, home)
    assert [int(issue['rank']) for issue in issues] == [*range(1, len(issues) + 1)]
    assert {issue['file'] for issue in issues} == {'reviews.csv'}
    found = first.json['label_issues']
    by_split = {split: [i for i in issues if i['split'] == split] for split in ('train', 'test')}
    for split, of_split in by_split.items():
        assert found[split] == len(of_split)
    assert sum(found[split] for split in ('train', 'val', 'test')) == len(issues)
    hits = [int(issue['line']) in WRONG for issue in issues]
    assert sum(hits) / len(hits) > 0.55
    assert sum(hits) / len(WRONG) > 0.75
    assert sum(hits[:50]) >= 45


def test_page_of_a_run_shows_the_first_suspects(first: Finished, home: pathlib.Path) -> None:
    issue = read_issues(first, home)[0]
    page = (home / first.json['report']).read_text(encoding='utf-8')
    assert f'<code>reviews.csv:{issue["line"]}</code>' in page


def test_table_is_written_again_when_all_nodes_are_cached(
    first: Finished, home: pathlib.Path
) -> None:
    again = call_command('run', '--data', str(SAMPLE), '--json', cwd=home)
    assert again.json['nothing_new'] is True
    assert again.json['label_issues']['file'] != first.json['label_issues']['file']
    assert read_issues(again, home) == read_issues(first, home)


@pytest.mark.slow
def test_only_test_is_examined_when_the_model_has_no_out_of_fold_scores(
    tmp_path: pathlib.Path,
) -> None:
    run = call_command('run', '--data', str(SAMPLE), '--preset', 'tutorial', '--json', cwd=tmp_path)
    found = run.json['label_issues']
    assert (found['train'], found['val']) == (None, None)
    issues = read_issues(run, tmp_path)
    assert {issue['split'] for issue in issues} == {'test'}
    assert found['test'] == len(issues) > 0
