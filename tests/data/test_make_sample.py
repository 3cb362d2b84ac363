"""Tests of the sample data set and of the script that writes it."""

from __future__ import annotations

import collections
import csv
import itertools
import math
import pathlib
import re

import pytest

from data import make_sample, sample_phrases

WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
SLOT = re.compile(r'\{[!?]?(\w+)\}')

# Slots that the script fills itself, from no list.
MADE_SLOTS = frozenset(
    {'film', 'genre', 'hero', 'friend', 'he', 'him', 'his', 'is', 'are'}
    | {'director', 'lead', 'support', 'person', 'title', 'town', 'year', 'minutes'}
)


@pytest.fixture(scope='module')
def reviews() -> list[make_sample.Review]:
    return make_sample.make_reviews()


@pytest.fixture(scope='module')
def rows() -> list[dict[str, str]]:
    with make_sample.DEFAULT_OUTPUT.open(encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream, strict=True))


@pytest.fixture(scope='module')
def texts(rows: list[dict[str, str]]) -> list[str]:
    return [row['text'] for row in rows]


def test_committed_file_is_reproduced_when_run_with_defaults(tmp_path: pathlib.Path) -> None:
    output = tmp_path / 'new' / 'reviews.csv'
    make_sample.main(['--output', str(output)])
    assert output.read_bytes() == make_sample.DEFAULT_OUTPUT.read_bytes()


def test_rows_survive_the_file_when_read_back(
    reviews: list[make_sample.Review], rows: list[dict[str, str]]
) -> None:
    assert len(rows) == make_sample.DEFAULT_ROWS
    assert rows == [{'text': review.text, 'label': review.label} for review in reviews]


def test_lines_end_in_a_bare_newline_when_written() -> None:
    assert b'\r' not in make_sample.DEFAULT_OUTPUT.read_bytes()


def test_rows_are_as_many_as_asked_when_given_on_the_command_line(tmp_path: pathlib.Path) -> None:
    output = tmp_path / 'few.csv'
    make_sample.main(['--output', str(output), '--rows', '7', '--seed', '3'])
    with output.open(encoding='utf-8', newline='') as stream:
        assert len(list(csv.DictReader(stream))) == 7


def test_texts_differ_when_the_seed_differs() -> None:
    one, other = (make_sample.make_reviews(rows=50, seed=seed) for seed in (1, 2))
    assert not {review.text for review in one} & {review.text for review in other}


def test_usage_error_is_raised_when_rows_are_too_few(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'none.csv'
    with pytest.raises(SystemExit, match=r'^2$'):
        make_sample.main(['--output', str(output), '--rows', '1'])
    assert '--rows is 1, expected at least 2' in capsys.readouterr().err
    assert not output.exists()


def test_labels_are_balanced_when_noise_is_added(reviews: list[make_sample.Review]) -> None:
    half = make_sample.DEFAULT_ROWS // 2
    assert collections.Counter(review.label for review in reviews) == {
        'positive': half,
        'negative': half,
    }


@pytest.mark.parametrize('sentiment', ['positive', 'negative'])
def test_four_percent_of_labels_are_wrong_when_counted_by_class(
    reviews: list[make_sample.Review], sentiment: str
) -> None:
    wrong = [r for r in reviews if r.sentiment == sentiment and r.label != sentiment]
    assert len(wrong) == 80


def test_classes_are_shuffled_when_read_in_order(rows: list[dict[str, str]]) -> None:
    changes = sum(a['label'] != b['label'] for a, b in itertools.pairwise(rows))
    assert changes == pytest.approx(len(rows) / 2, rel=0.1)


def test_no_text_is_repeated_when_case_and_spacing_are_ignored(texts: list[str]) -> None:
    assert len({' '.join(text.casefold().split()) for text in texts}) == len(texts)


def test_no_sentence_is_a_refrain_when_texts_are_cut_into_sentences(texts: list[str]) -> None:
    sentences = collections.Counter(
        sentence for text in texts for sentence in set(re.split(r'(?<=[.!?])\s+|<br />', text))
    )
    del sentences['']
    sentence, count = sentences.most_common(1)[0]
    assert count <= 0.03 * len(texts), sentence


def test_lengths_are_varied_when_counted_in_words(texts: list[str]) -> None:
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[0] >= make_sample.MIN_WORDS
    assert lengths[-1] <= make_sample.MAX_WORDS
    assert 60 <= sum(lengths) / len(lengths) <= 90
    assert lengths[len(lengths) // 20] < 25
    assert lengths[-len(lengths) // 20] > 130


@pytest.mark.parametrize(
    ('pattern', 'least', 'most'),
    [
        pytest.param(r"(?i)\b(not|never|hardly|nobody|no|\w+n't)\b", 0.4, 0.9, id='negation'),
        pytest.param(r'(?i)\b(but|although|however|yet|still)\b', 0.1, 0.7, id='concession'),
        pytest.param(r'<br /><br />', 0.1, 0.4, id='html break'),
        pytest.param(r'\n', 0.02, 0.15, id='newline'),
        pytest.param(r',', 0.5, 0.99, id='comma'),
        pytest.param(r'"', 0.1, 0.4, id='double quote'),
        pytest.param(r"(?<!\w)'\w", 0.01, 0.2, id='single quote'),
        pytest.param(r'[À-ž]', 0.03, 0.3, id='letter beyond ASCII'),
        pytest.param(r'\b[A-Z]{4,}\b', 0.01, 0.1, id='capitals'),
        pytest.param(r'\A[^A-Z]*\Z', 0.01, 0.1, id='lower case only'),
    ],
)
def test_feature_is_present_but_not_everywhere_when_counted(
    texts: list[str], pattern: str, least: float, most: float
) -> None:
    share = sum(bool(re.search(pattern, text)) for text in texts) / len(texts)
    assert least <= share <= most


@pytest.mark.parametrize(
    'flaw',
    [
        pytest.param(r'[{}]', id='unfilled slot'),
        pytest.param(r'\b[Aa] [aeiou]', id='a before a vowel'),
        pytest.param(r'\b[Aa]n [^aeiouhAEIOU]', id='an before a consonant'),
        pytest.param(r'\S  \S|^\s|\s$', id='stray space'),
        pytest.param(r'[,;:][.!?]|\.\.| [,.!?]', id='stray punctuation'),
        pytest.param(r'\b[A-Z]\w*(\w)\1\1', id='letter three times in a name'),
        pytest.param(r'\Z(?<![.!?"\'])', id='no full stop'),
    ],
)
def test_texts_are_well_formed_when_typos_are_left_aside(texts: list[str], flaw: str) -> None:
    flawed = [text for text in texts if re.search(flaw, text)]
    # Typos may hit the letter after an article.
    assert len(flawed) <= 2, flawed[:3]


def test_vocabulary_has_a_long_tail_when_words_are_lower_cased(texts: list[str]) -> None:
    counts = collections.Counter(word for text in texts for word in WORD.findall(text.lower()))
    ranked = [count for _, count in counts.most_common()]
    assert len(ranked) >= 3000
    assert sum(count <= 5 for count in ranked) >= len(ranked) / 3
    assert sum(ranked[:100]) >= sum(ranked) / 2


def test_bag_of_words_learns_most_but_not_all_when_trained_on_four_fifths(
    rows: list[dict[str, str]],
) -> None:
    # Naive Bayes over the words of a text, to need nothing that is not installed.
    bags = [(set(WORD.findall(row['text'].lower())), row['label']) for row in rows]
    train, test = bags[:3200], bags[3200:]
    counts = {label: collections.Counter[str]() for label in ('positive', 'negative')}
    for words, label in train:
        counts[label].update(words)

    def score(words: set[str]) -> float:
        positive, negative = counts['positive'], counts['negative']
        return sum(math.log((positive[word] + 1) / (negative[word] + 1)) for word in words)

    hits = sum((score(words) > 0) == (label == 'positive') for words, label in test)
    assert 0.84 <= hits / len(test) <= 0.93


def test_slots_all_have_a_filling_when_patterns_are_searched() -> None:
    shared = sample_phrases.OPINIONS | sample_phrases.NEUTRAL
    known = MADE_SLOTS | set(shared) | set(sample_phrases.POSITIVE)
    for lists in (sample_phrases.POSITIVE, sample_phrases.NEGATIVE, shared):
        for name, entries in lists.items():
            for entry in entries:
                assert set(SLOT.findall(entry)) <= known, (name, entry)


def test_polarities_mirror_each_other_when_lists_are_compared() -> None:
    assert sample_phrases.POSITIVE.keys() == sample_phrases.NEGATIVE.keys()
    for name, entries in sample_phrases.POSITIVE.items():
        assert len(entries) == pytest.approx(len(sample_phrases.NEGATIVE[name]), rel=0.15), name
        assert not set(entries) & set(sample_phrases.NEGATIVE[name]), name
