from __future__ import annotations

import json
import math
import pathlib
import subprocess
import sys

import pytest

from components.statistics_gen.text_statistics import (
    FINGERPRINT_WORDS,
    TEXT_STATISTICS_FILE,
    SplitStatistics,
    TextStatistics,
    divergence,
    read_text_statistics,
    to_json,
)

STATISTICS = TextStatistics(
    splits=[
        SplitStatistics(
            name='train',
            examples=3,
            positive=None,
            negative=None,
            lengths=[1, 0, 2],
            words=5,
            frequent=[('très', 3), ('bien', 2)],
            unknown=None,
            duplicates=1,
            shared={'test': 1},
            seen=0,
            near_duplicates=2,
            nearly_shared={'test': 2},
            nearly_seen=0,
        )
    ],
    drift={'test': 0.25},
    fingerprint_words=[('très', 3), ('bien', 2)],
)


def test_statistics_are_unchanged_when_written_and_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(to_json(STATISTICS))
    assert read_text_statistics(str(tmp_path)) == STATISTICS


def test_none_is_returned_when_there_is_no_file(tmp_path: pathlib.Path) -> None:
    assert read_text_statistics(str(tmp_path)) is None


def test_counts_are_none_when_an_older_version_wrote_the_file(tmp_path: pathlib.Path) -> None:
    content = json.loads(to_json(STATISTICS))
    for split in content['splits']:
        for name in ('seen', 'near_duplicates', 'nearly_shared', 'nearly_seen'):
            del split[name]
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_text(json.dumps(content))
    found = read_text_statistics(str(tmp_path))
    assert found is not None
    (split,) = found.splits
    assert (split.examples, split.seen, split.nearly_seen) == (3, None, None)


def test_error_names_the_field_when_the_file_is_damaged(tmp_path: pathlib.Path) -> None:
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(
        to_json(STATISTICS).replace(b'"examples":3', b'"examples":"x"')
    )
    with pytest.raises(ValueError, match=r'splits\.0\.examples'):
        read_text_statistics(str(tmp_path))


def test_heavy_packages_are_not_loaded_when_the_reader_is_imported() -> None:
    code = (
        'import sys, components.statistics_gen.text_statistics, components.evaluator.score_details;'
        'sys.exit(bool({"tensorflow", "tfx", "pyarrow", "numpy"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_divergence_equals_its_definition_when_lists_are_complete() -> None:
    p, q = {'a': 0.5, 'b': 0.5}, {'b': 0.25, 'c': 0.75}
    mean = {word: (p.get(word, 0) + q.get(word, 0)) / 2 for word in 'abc'}

    def entropy(shares: dict[str, float]) -> float:
        return -sum(share * math.log2(share) for share in shares.values())

    expected = entropy(mean) - (entropy(p) + entropy(q)) / 2
    one, other = [('a', 2), ('b', 2)], [('c', 3), ('b', 1)]
    assert divergence(one, other) == pytest.approx(expected, abs=1e-12)
    assert divergence(other, one) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ('one', 'other', 'expected'),
    [
        ([], [], 0.0),
        ([('a', 1)], [], 1.0),
        ([], [('a', 1)], 1.0),
        ([('a', 1)], [('b', 7)], 1.0),
        ([('a', 1), ('b', 2)], [('b', 4), ('a', 2)], 0.0),
    ],
)
def test_divergence_is_0_or_1_when_lists_are_equal_or_disjoint(
    one: list[tuple[str, int]], other: list[tuple[str, int]], expected: float
) -> None:
    assert divergence(one, other) == expected


def test_divergence_is_0_when_full_lists_differ_only_in_the_last_word() -> None:
    frequent = [(f'w{number}', 2) for number in range(FINGERPRINT_WORDS - 1)]
    assert divergence([*frequent, ('here', 2)], [*frequent, ('there', 2)]) == 0.0
    # A shorter list is complete, so a word that is not listed does not occur.
    assert divergence([*frequent[1:], ('here', 2)], [*frequent[1:], ('there', 2)]) > 0.0
