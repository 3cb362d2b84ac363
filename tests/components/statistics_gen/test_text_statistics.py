from __future__ import annotations

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
        )
    ],
    drift={'test': 0.25},
    fingerprint_words=[('très', 3), ('bien', 2)],
)


def test_same_is_read_when_it_was_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(to_json(STATISTICS))
    assert read_text_statistics(str(tmp_path)) == STATISTICS


def test_nothing_is_read_when_an_older_run_wrote_nothing(tmp_path: pathlib.Path) -> None:
    assert read_text_statistics(str(tmp_path)) is None


def test_error_names_the_field_when_the_file_is_another(tmp_path: pathlib.Path) -> None:
    (tmp_path / TEXT_STATISTICS_FILE).parent.mkdir()
    (tmp_path / TEXT_STATISTICS_FILE).write_bytes(
        to_json(STATISTICS).replace(b'"examples":3', b'"examples":"x"')
    )
    with pytest.raises(ValueError, match=r'splits\.0\.examples'):
        read_text_statistics(str(tmp_path))


def test_reader_loads_neither_tensorflow_nor_tfx_when_it_is_imported() -> None:
    code = (
        'import sys, components.statistics_gen.text_statistics, components.evaluator.score_details;'
        'sys.exit(bool({"tensorflow", "tfx", "pyarrow", "numpy"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_divergence_is_by_its_definition_when_lists_are_whole() -> None:
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
def test_divergence_is_a_bound_when_lists_are_equal_or_have_nothing_in_common(
    one: list[tuple[str, int]], other: list[tuple[str, int]], expected: float
) -> None:
    assert divergence(one, other) == expected


def test_divergence_is_none_when_lists_differ_only_below_the_cut() -> None:
    frequent = [(f'w{number}', 2) for number in range(FINGERPRINT_WORDS - 1)]
    assert divergence([*frequent, ('here', 2)], [*frequent, ('there', 2)]) == 0.0
    # Without a cut, the words that are not listed are not there.
    assert divergence([*frequent[1:], ('here', 2)], [*frequent[1:], ('there', 2)]) > 0.0
