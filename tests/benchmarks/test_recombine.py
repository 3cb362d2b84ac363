"""Tables of recombined sentences, whose vocabulary follows Heaps' law."""

from __future__ import annotations

import csv
import functools
import itertools
import pathlib
import random

import pytest

from benchmarks.recombine import count_words, fit_heaps, words_of, write_tables
from benchmarks.reviews import NAMES, Split

REVIEWS = 600


@functools.cache
def make_split(seed: int, reviews: int = REVIEWS) -> Split:
    """Make reviews whose words follow Zipf's law, so that their vocabulary grows by Heaps'."""
    rng = random.Random(seed)
    words = [f'word{rank}' for rank in range(60_000)]
    weights = itertools.accumulate(1 / (rank + 3) ** 1.2 for rank in range(60_000))
    cumulative = list(weights)
    texts, labels = [], []
    for number in range(reviews):
        sentences = []
        for _ in range(rng.randint(2, 12)):
            drawn = rng.choices(words, cum_weights=cumulative, k=rng.randint(4, 20))
            sentences.append(' '.join([f'label{number % 2}', *drawn]) + rng.choice('.!?'))
        texts.append(' '.join(sentences))
        labels.append(number % 2)
    return Split(texts, labels)


def make_tables(
    folder: pathlib.Path, factor: float, seed: int = 1
) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the files by split."""
    splits = {'train': make_split(1), 'test': make_split(2)}
    counts = write_tables(splits, folder, factor, seed)
    tables = {name: rows_of(folder / f'{name}.csv') for name in counts}
    assert counts == {name: len(rows) for name, rows in tables.items()}
    return tables


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('factor', [0.02, 0.25, 1, 1.5, 2, 8])
def test_size_follows_the_factor_and_labels_stay_balanced(
    factor: float, tmp_path: pathlib.Path
) -> None:
    for rows in make_tables(tmp_path, factor).values():
        assert len(rows) == REVIEWS * factor
        for label in NAMES:
            assert sum(row['label'] == label for row in rows) == REVIEWS * factor / 2


@pytest.mark.parametrize('factor', [2, 8])
def test_vocabulary_follows_the_law_when_reviews_are_added(
    factor: float, tmp_path: pathlib.Path
) -> None:
    for seed, rows in enumerate(make_tables(tmp_path, factor).values(), start=1):
        real = make_split(seed).texts
        words, distinct = count_words([row['text'] for row in rows])
        # The split is in another order than its texts here.
        assert distinct == pytest.approx(fit_heaps(real).distinct(words), rel=0.03)
        assert distinct > 1.2 * count_words(real)[1]
        # As long as the real ones, and invented words occur twice on average.
        assert words / len(rows) == pytest.approx(count_words(real)[0] / REVIEWS, rel=0.03)
        invented = [w for row in rows for w in words_of(row['text']) if w.startswith('zq')]
        assert len(invented) == pytest.approx(2 * len(set(invented)), rel=0.01)


def test_texts_are_unchanged_when_the_factor_is_one(tmp_path: pathlib.Path) -> None:
    rows = make_tables(tmp_path, 1)['train']
    assert sorted(row['text'] for row in rows) == sorted(make_split(1).texts)


def test_sentences_stay_with_label_and_split_when_recombined(tmp_path: pathlib.Path) -> None:
    for rows in make_tables(tmp_path, 3).values():
        for row in rows:
            other = NAMES.index(row['label']) ^ 1
            assert f'label{other}' not in row['text']


def test_files_depend_on_the_seed_only(tmp_path: pathlib.Path) -> None:
    for folder, seed in (('one', 1), ('again', 1), ('other', 2)):
        make_tables(tmp_path / folder, 1.5, seed)
    one, again, other = (
        (tmp_path / f / 'train.csv').read_bytes() for f in ('one', 'again', 'other')
    )
    assert one == again != other


def test_heaps_law_is_fitted_when_the_text_follows_it() -> None:
    # From the 317th word on, one is new whenever 10 * n**0.6 passes an integer.
    texts, distinct = [], 0
    for number in range(1, 40_001):
        if distinct < 10 * number**0.6:
            distinct += 1
        texts.append(f'w{distinct}')
    law = fit_heaps(texts)
    assert law.beta == pytest.approx(0.6, abs=0.02)
    assert law.distinct(40_000) == pytest.approx(len(set(texts)))
