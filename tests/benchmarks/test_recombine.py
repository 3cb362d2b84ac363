"""Tables of recombined sentences, whose vocabulary follows Heaps' law."""

from __future__ import annotations

import csv
import functools
import itertools
import math
import pathlib
import random

import pytest

from benchmarks import recombine
from benchmarks.recombine import Heaps, NewWords, fit_heaps, new_form, words_of, write_tables
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


def make_tables(folder: pathlib.Path, factor: float, seed: int = 1) -> dict[str, recombine.Made]:
    splits = {'train': make_split(1), 'test': make_split(2)}
    return write_tables(splits, folder, factor, seed)


def rows_of(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('factor', [0.02, 0.25, 1, 1.5, 2, 8])
def test_counts_follow_the_factor_and_labels_stay_balanced(
    factor: float, tmp_path: pathlib.Path
) -> None:
    made = make_tables(tmp_path, factor)
    for name, split in made.items():
        rows = rows_of(tmp_path / f'{name}.csv')
        assert len(rows) == split.reviews == REVIEWS * factor
        for label in NAMES:
            assert sum(row['label'] == label for row in rows) == REVIEWS * factor / 2
        words = [word for row in rows for word in words_of(row['text'])]
        assert (len(words), len(set(words))) == (split.words, split.distinct)


@pytest.mark.parametrize('factor', [2, 8])
def test_vocabulary_follows_the_law_when_reviews_are_added(
    factor: float, tmp_path: pathlib.Path
) -> None:
    for made in make_tables(tmp_path, factor).values():
        assert made.distinct == pytest.approx(made.law.distinct(made.words), rel=0.01)
        assert made.distinct > 1.2 * make_vocabulary_size()


def make_vocabulary_size() -> int:
    return len({word for text in make_split(1).texts for word in words_of(text)})


def test_texts_are_unchanged_when_the_factor_is_one(tmp_path: pathlib.Path) -> None:
    make_tables(tmp_path, 1)
    rows = rows_of(tmp_path / 'train.csv')
    assert sorted(row['text'] for row in rows) == sorted(make_split(1).texts)


def test_sentences_stay_with_label_and_split_when_recombined(tmp_path: pathlib.Path) -> None:
    make_tables(tmp_path, 3)
    for name in ('train', 'test'):
        for row in rows_of(tmp_path / f'{name}.csv'):
            other = NAMES.index(row['label']) ^ 1
            assert f'label{other}' not in row['text']


def test_mean_length_is_unchanged_when_recombined(tmp_path: pathlib.Path) -> None:
    made = make_tables(tmp_path, 8)['train']
    real = sum(len(words_of(text)) for text in make_split(1).texts) / REVIEWS
    assert made.words / made.reviews == pytest.approx(real, rel=0.03)


def test_files_depend_on_the_seed_only(tmp_path: pathlib.Path) -> None:
    for folder, seed in (('one', 1), ('again', 1), ('other', 2)):
        make_tables(tmp_path / folder, 1.5, seed)
    one, again, other = (
        (tmp_path / f / 'train.csv').read_bytes() for f in ('one', 'again', 'other')
    )
    assert one == again
    assert one != other


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


def test_fit_is_refused_when_there_are_too_few_words() -> None:
    with pytest.raises(ValueError, match='too few'):
        fit_heaps(['word'])


def test_forms_differ_and_are_single_words() -> None:
    forms = [new_form(number) for number in range(400_000)]
    assert len(set(forms)) == len(forms)
    assert all(words_of(form) == [form] for form in forms[::1000])


def test_new_words_never_occur_in_the_text() -> None:
    taken = {new_form(0), new_form(2), new_form(3)}
    new_words = NewWords(taken, random.Random(1))
    made = [new_words.make() for _ in range(5)]
    again = {new_words.again() for _ in range(200)}
    assert len(set(made)) == 5
    assert not set(made) & taken
    assert again <= set(made)


def test_law_is_exact_at_a_point() -> None:
    assert Heaps(2, 0.5).distinct(9) == pytest.approx(2 * math.sqrt(9))
