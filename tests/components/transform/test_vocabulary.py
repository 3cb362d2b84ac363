from __future__ import annotations

import pathlib
from collections import Counter

import pytest

from components.transform.vocabulary import (
    Vocabulary,
    WordCounts,
    WrittenVocabulary,
    count_examples,
    most_frequent,
    write_vocabulary,
)
from tests.components.trainer.tiny import write_split

COUNTS = Counter({b'film': 3, b'!': 3, b'good': 2, b'bad': 1})


@pytest.mark.parametrize(
    ('min_count', 'top_k', 'expected'),
    [
        (1, 9, [b'film', b'!', b'good', b'bad']),
        (1, None, [b'film', b'!', b'good', b'bad']),
        (2, 9, [b'film', b'!', b'good']),
        (3, 9, [b'film', b'!']),
        (3, 1, [b'film']),
        (4, 9, []),
    ],
)
def test_words_are_kept_when_they_occur_often_enough(
    min_count: int, top_k: int | None, expected: list[bytes], tmp_path: pathlib.Path
) -> None:
    assert most_frequent(COUNTS, top_k=top_k, min_count=min_count) == expected
    path = tmp_path / 'new' / 'words'
    vocabulary = Vocabulary(name='words', top_k=top_k, min_count=min_count)
    written = write_vocabulary(str(path), WordCounts(COUNTS, 5, 7), vocabulary)
    assert written == WrittenVocabulary(str(path), len(expected), 5, 7)
    assert WrittenVocabulary.read(str(path)) == written
    # A table cannot be made from an empty file, so a word is written that no text has.
    no_word = b'49d0cd50-04bb-48c0-bc6f-5b575dce351a'
    assert path.read_bytes() == b''.join(word + b'\n' for word in expected or [no_word])


def test_examples_are_counted(tmp_path: pathlib.Path) -> None:
    write_split(tmp_path / 'train', [[('Good film!!', 1), ("It's good.", 1)], []])
    files = sorted(str(path) for path in (tmp_path / 'train').iterdir())
    assert [count_examples(file) for file in files] == [2, 0]
