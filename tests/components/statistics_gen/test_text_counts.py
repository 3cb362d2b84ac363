from __future__ import annotations

import csv
import pathlib
import pickle
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from components.common import features
from components.readers import identity
from components.statistics_gen.text_counts import TextCounts, merge_summaries, summarize_part
from components.statistics_gen.text_statistics import (
    FINGERPRINT_WORDS,
    SplitStatistics,
    TextStatistics,
    divergence,
)

SAMPLE = pathlib.Path(__file__).parents[3] / 'data' / 'sample' / 'reviews.csv'
ODD = [
    '',
    '   \t\n ',
    '... -- !!!',
    "It's GOOD!<br />Très bien…<BR>“Très” \u00a0bien\u3000.\u2028end",
    '\x1cfour\x1ffive\x85six\x00seven',
    '映画は良い。',
    'x' * 101 + ' ' + 'y' * 100 + ' ' + 'é' * 51,
    'x y ' * 5_000,
]


def batch(rows: Iterable[tuple[str, int | None]]) -> pa.RecordBatch:
    texts, labels = zip(*rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([[text.encode()] for text in texts], pa.large_list(pa.large_binary())),
            pa.array(
                [None if label is None else [label] for label in labels], pa.large_list(pa.int64())
            ),
        ],
        ['text', 'label'],
    )


def count(rows: list[tuple[str, int | None]], per_batch: int = 1_000) -> TextCounts:
    texts = TextCounts()
    for start in range(0, len(rows), per_batch):
        texts.add(batch(rows[start : start + per_batch]))
    return texts


def split_words(text: str) -> list[str]:
    spaced = re.sub(r'<br\s*/?>', ' ', text, flags=re.IGNORECASE)
    return re.sub(r'([\u3041-\u30fa\u4e00-\u9fff])', r' \1 ', spaced).split()


def words(text: str) -> list[str]:
    marks = string.punctuation + '“”…。'
    found = (word.strip(marks).lower() for word in split_words(text))
    return [word for word in found if 0 < len(word.encode()) <= 100]


def lengths(texts: list[str]) -> list[int]:
    bins = [0] * 64
    for text in texts:
        number = len(split_words(text))
        bins[next(i for i in range(64) if number < 2 ** ((i + 1) / 2))] += 1
    while bins and not bins[-1]:
        bins.pop()
    return bins


def equal_form(text: str) -> str:
    return identity.words(identity.normalize(text))


def near_form(text: str) -> str:
    form = equal_form(text)
    return re.sub(r'\d', '', form) or form


def repeats(
    name: str, texts: dict[str, list[str]], form: Callable[[str], str]
) -> tuple[int, dict[str, int], int]:
    """Count duplicates, shared texts and seen texts of a split, by brute force."""
    forms = {split: [form(text) for text in of_split] for split, of_split in texts.items()}
    order = [split for split in ('train', 'val', 'test', 'unsup') if split in texts]
    learned = {text for split in ('train', 'val') if split != name for text in forms.get(split, [])}
    return (
        len(forms[name]) - len(set(forms[name])),
        {o: sum(text in set(forms[o]) for text in forms[name]) for o in order if o != name},
        sum(text in learned for text in forms[name]),
    )


def by_frequency(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def summarize(texts: dict[str, TextCounts], parts: int = 1) -> TextStatistics:
    """Summarize splits whose words and texts are divided into parts."""
    divided = {name: list(split.divide(parts)) for name, split in texts.items()}
    return merge_summaries(
        summarize_part({name: split[part] for name, split in divided.items()})
        for part in range(parts)
    )


def sample() -> dict[str, list[tuple[str, int | None]]]:
    """The sample in four splits, with odd texts, duplicates and texts that are shared."""
    with open(SAMPLE, encoding='utf-8', newline='') as file:
        rows = [(r['text'], int(r['label'] == 'positive')) for r in csv.DictReader(file)]
    assert {label for _, label in rows} == {0, 1}
    splits: dict[str, list[tuple[str, int | None]]] = {
        'unsup': [(text, None) for text, _ in rows[3_000:]],
        'test': [*rows[2_000:3_000], *rows[:7], *((text, 1) for text in ODD)],
        'val': [*rows[1_600:2_000], *rows[1_990:2_002]],
        'train': [*rows[:1_600], *rows[:5], ('Third copy.', 0)] + [('Third copy.', 1)] * 2,
    }
    return splits


def test_statistics_equal_those_of_brute_force() -> None:
    rows = sample()
    found = summarize({name: count(split) for name, split in rows.items()})
    counts = {n: Counter(w for text, _ in split for w in words(text)) for n, split in rows.items()}
    texts = {name: [text for text, _ in split] for name, split in rows.items()}
    labels = {name: Counter(label for _, label in split) for name, split in rows.items()}
    order = ['train', 'val', 'test', 'unsup']
    assert found.splits == [
        SplitStatistics(
            name=name,
            examples=len(rows[name]),
            positive=None if name == 'unsup' else labels[name][1],
            negative=None if name == 'unsup' else labels[name][0],
            lengths=lengths(texts[name]),
            words=counts[name].total(),
            frequent=by_frequency(counts[name])[:50],
            unknown=None
            if name == 'train'
            else sum(n for word, n in counts[name].items() if counts['train'][word] < 2)
            / counts[name].total(),
            **dict(zip(('duplicates', 'shared', 'seen'), repeats(name, texts, equal_form))),
            **dict(
                zip(
                    ('near_duplicates', 'nearly_shared', 'nearly_seen'),
                    repeats(name, texts, near_form),
                )
            ),
        )
        for name in order
    ]
    top = {name: by_frequency(counts[name])[:FINGERPRINT_WORDS] for name in order}
    assert found.fingerprint_words == top['train']
    assert found.drift == {name: divergence(top[name], top['train']) for name in order[1:]}
    by_name = {split.name: split for split in found.splits}
    assert by_name['train'].duplicates >= 7
    assert by_name['test'].shared['train'] >= 7
    assert 0 < found.drift['test'] < 0.2


def test_statistics_are_equal_when_shards_batches_order_and_parts_differ() -> None:
    rows = sample()
    expected = summarize({name: count(split) for name, split in rows.items()})
    chance = random.Random(7)
    for parts in (1, 2, 7, 400):
        merged = {}
        for name, split in rows.items():
            shuffled = chance.sample(split, len(split))
            cuts = sorted(chance.sample(range(1, len(split)), 3))
            shards = [
                count(shuffled[start:end], per_batch=chance.randint(100, 300))
                for start, end in zip([0, *cuts], [*cuts, len(split)])
            ]
            merged[name] = TextCounts()
            for shard in chance.sample(shards, len(shards)):
                merged[name].merge(pickle.loads(pickle.dumps(shard)))
        assert summarize(dict(sorted(merged.items(), reverse=True)), parts) == expected


def test_words_and_texts_are_spread_evenly_when_they_are_divided() -> None:
    texts = count(sample()['train'])
    words, examples = len(texts.words().words), texts.examples
    parts = list(texts.divide(8))
    assert sum(len(part.words().words) for part in parts) == words
    assert max(len(part.words().words) for part in parts) < words / 5
    for kind in ('exact', 'near'):
        sizes = [len(getattr(part.digests, kind)()) for part in parts]
        assert sum(sizes) == examples
        assert max(sizes) < examples / 5


@given(st.lists(st.text(st.characters(exclude_categories=['Cs']), max_size=30), min_size=1))
def test_texts_are_counted_when_they_are_random(random_texts: list[str]) -> None:
    texts = count([(text, 0) for text in random_texts])
    assert texts.lengths.sum() == len(random_texts) == texts.examples
    (split,) = summarize({'train': texts}).splits
    assert split.duplicates == len(random_texts) - len(set(map(equal_form, random_texts)))
    assert split.words == sum(number for _, number in split.frequent) or len(split.frequent) == 50


ALIKE = st.lists(
    st.lists(
        st.sampled_from(['a', 'B', 'b', '1', '2', '!', ' ', 'é', 'É', '²', '٣', '😀', '<br />']),
        max_size=3,
    ).map(''.join),
    max_size=6,
)


@given(st.fixed_dictionaries({name: ALIKE for name in (*features.SPLITS, 'unsup')}))
def test_repeats_equal_those_of_brute_force_when_texts_are_alike(
    texts: dict[str, list[str]],
) -> None:
    rows: dict[str, TextCounts] = {}
    for name, of_split in texts.items():
        rows[name] = count([(text, 0) for text in of_split], per_batch=2)
    for parts in (1, 3):
        for found in summarize(rows, parts).splits:
            assert (found.duplicates, found.shared, found.seen) == repeats(
                found.name, texts, equal_form
            )
            assert (found.near_duplicates, found.nearly_shared, found.nearly_seen) == repeats(
                found.name, texts, near_form
            )


def test_share_of_unknown_words_is_none_when_a_split_has_no_words() -> None:
    found = summarize(
        {'train': count([('Good.', 1)]), 'val': TextCounts(), 'test': count([('...', 0)])}
    )
    assert [split.unknown for split in found.splits] == [None, None, None]
    assert [split.positive for split in found.splits] == [1, None, 0]
    assert found.drift == {'val': 1.0, 'test': 1.0}
    assert found.splits[1].lengths == []


def test_examples_are_counted_when_a_batch_has_no_labels_or_texts() -> None:
    nulls = pa.array([None, None])
    texts = TextCounts()
    texts.add(pa.RecordBatch.from_arrays([nulls, nulls], ['text', 'label']))
    texts.add(pa.RecordBatch.from_arrays([nulls], ['length']))
    (split,) = summarize({'train': texts}).splits
    assert (split.examples, split.positive, split.words) == (4, None, 0)
