from __future__ import annotations

import pathlib
from collections import Counter

import pytest

from components.transform.vocabulary import count_words, most_frequent, write_vocabulary
from tests.components.trainer.tiny import write_split

COUNTS = Counter({b'film': 3, b'!': 3, b'good': 2, b'bad': 1})


@pytest.mark.parametrize(
    ('min_count', 'top_k', 'expected'),
    [
        (1, 9, [b'film', b'!', b'good', b'bad']),
        (2, 9, [b'film', b'!', b'good']),
        (3, 9, [b'film', b'!']),
        (3, 1, [b'film']),
        (4, 9, []),
    ],
)
def test_words_are_kept_when_they_occur_often_enough(
    min_count: int, top_k: int, expected: list[bytes], tmp_path: pathlib.Path
) -> None:
    assert most_frequent(COUNTS, top_k=top_k, min_count=min_count) == expected
    path = tmp_path / 'new' / 'words'
    write_vocabulary(COUNTS, str(path), top_k=top_k, min_count=min_count)
    # A table cannot be made from an empty file, so a word is written that no text has.
    assert path.read_bytes() == b''.join(word + b'\n' for word in expected or [b' '])


def test_punctuation_is_counted_when_it_is_split(tmp_path: pathlib.Path) -> None:
    write_split(tmp_path / 'train', [[('Good film!!', 1), ("It's good.", 1)], [('Good... .', 0)]])
    files = sorted(str(path) for path in (tmp_path / 'train').iterdir())
    assert count_words(files, 'split').words == {
        b'good': 3,
        b'film': 1,
        b'!!': 1,
        b'its': 1,
        b'.': 2,
        b'...': 1,
    }
    assert count_words(files) == ({b'good': 3, b'film': 1, b'its': 1}, 3)
