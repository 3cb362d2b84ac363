from __future__ import annotations

import dataclasses
import json
import pathlib
import pickle
import random

import numpy as np
import pytest

from components.evaluator.estimation.totals import Totals
from components.evaluator.score_collector import ScoreCollector
from components.evaluator.score_details import (
    BINS,
    SCORE_DETAILS_FILE,
    SHOWN_CHARACTERS,
    SHOWN_EXAMPLES,
    SHOWN_PARTS,
    Example,
    Histogram,
    ScoreDetails,
    read_score_details,
    to_json,
)

Row = tuple[str, int, float, float]  # text, label, by candidate, by baseline


def rows() -> list[Row]:
    """Examples with many equal scores, some on the edges of bins, and with equal texts."""
    rng = np.random.default_rng(3)
    scores = np.round(rng.beta(0.5, 0.5, (2_000, 2)), 2).astype(np.float32)
    scores[:6, 0] = [0, 1, 0.5, 0.001, np.nextafter(np.float32(0.001), np.float32(0)), 0.999]
    texts = [f'Text {number}' for number in rng.integers(0, 1_500, len(scores))]
    texts[6] = 'é' * (SHOWN_CHARACTERS + 1)
    texts[7] = '🎬' * SHOWN_CHARACTERS
    scores[6:8, 0] = 1
    labels = rng.integers(0, 2, len(scores))
    labels[6:8] = 0
    return [(t, int(y), float(p), float(q)) for t, y, (p, q) in zip(texts, labels, scores)]


class Collected:
    """The totals of both models, and the collector, of the same examples."""

    def __init__(self, of: list[Row], per_batch: int = 300, threshold: float = 0.5) -> None:
        self.candidate, self.baseline = Totals(), Totals()
        self.collector = ScoreCollector(threshold)
        for start in range(0, len(of), per_batch):
            texts, labels, *scores = zip(*of[start : start + per_batch])
            label = np.array(labels, np.int64)
            candidate, baseline = (np.array(found, np.float32) for found in scores)
            self.candidate.add(label, candidate, threshold=threshold)
            self.baseline.add(label, baseline)
            encoded = np.array([text.encode() for text in texts], object)
            self.collector.add(encoded, label, candidate)

    def merge(self, other: Collected) -> None:
        self.candidate.merge(other.candidate)
        self.baseline.merge(other.baseline)
        self.collector.merge(pickle.loads(pickle.dumps(other.collector)))

    def details(self) -> ScoreDetails:
        return self.collector.details(self.candidate, self.baseline)


def histogram(scores: list[tuple[int, float]]) -> Histogram:
    bins: tuple[list[int], list[int]] = ([0] * BINS, [0] * BINS)
    for label, score in scores:
        bins[label][min(int(score * BINS), BINS - 1)] += 1
    return Histogram(positive=bins[1], negative=bins[0])


def shown(of: list[Row]) -> list[Example]:
    return [
        Example(
            text=text[:SHOWN_CHARACTERS],
            cut=len(text) > SHOWN_CHARACTERS,
            label=label,
            probability=score,
        )
        for text, label, score, _ in of[:SHOWN_EXAMPLES]
    ]


def brute_force(of: list[Row], threshold: float = 0.5) -> ScoreDetails:
    confusion = [[0, 0], [0, 0]]
    for _, label, score, _ in of:
        confusion[label][score > threshold] += 1
    wrong = [row for row in of if row[1] != (row[2] > threshold)]
    return ScoreDetails(
        candidate=histogram([(label, score) for _, label, score, _ in of]),
        baseline=histogram([(label, score) for _, label, _, score in of]),
        mistakes=shown(sorted(wrong, key=lambda r: (-abs(r[2] - threshold), r[0], r[1]))),
        uncertain=shown(sorted(of, key=lambda r: (abs(r[2] - threshold), r[0], r[1], r[2]))),
        true_positives=confusion[1][1],
        false_positives=confusion[0][1],
        true_negatives=confusion[0][0],
        false_negatives=confusion[1][0],
        threshold=threshold,
    )


@pytest.mark.parametrize('threshold', [0.5, 0.03, 0.25])
def test_details_equal_those_of_brute_force(threshold: float) -> None:
    found = Collected(rows(), threshold=threshold).details()
    assert found == brute_force(rows(), threshold)
    assert (found == brute_force(rows())) == (threshold == 0.5)
    assert found.candidate.positive[-1] + found.candidate.negative[-1] > 100


def test_details_do_not_depend_on_order_and_batches() -> None:
    rng = random.Random(5)
    expected = brute_force(rows())
    for _ in range(5):
        shuffled = rng.sample(rows(), len(rows()))
        total = Collected([])
        for start in range(0, len(shuffled), 400):
            total.merge(Collected(shuffled[start : start + 400], per_batch=rng.randint(1, 400)))
        assert total.details() == expected


def test_long_text_is_truncated_by_characters() -> None:
    texts = {e.text[0]: (len(e.text), e.cut) for e in Collected(rows()[6:8]).details().mistakes}
    assert texts == {'é': (SHOWN_CHARACTERS, True), '🎬': (SHOWN_CHARACTERS, False)}


def test_examples_count_as_unscored_when_there_is_no_probability_or_label() -> None:
    broken: list[Row] = [
        ('NaN', 1, float('nan'), 0.25),
        ('Too much', 1, 1.5, 0.25),
        ('Too little', 0, -0.25, float('nan')),
        ('Label', 2, 0.5, 0.5),
    ]
    found = Collected([*rows(), *broken]).details()
    expected = brute_force(rows())
    assert found.unscored == 4
    assert found.candidate == expected.candidate
    assert (found.mistakes, found.uncertain) == (expected.mistakes, expected.uncertain)
    assert found.true_positives == expected.true_positives
    assert expected.baseline is not None
    assert found.baseline is not None
    assert sum(found.baseline.positive) == sum(expected.baseline.positive) + 2
    assert sum(found.baseline.negative) == sum(expected.baseline.negative)


@pytest.mark.parametrize('score', [float('nan'), 0.5])
def test_lists_are_bounded_when_all_scores_are_the_same(score: float) -> None:
    collected = Collected([(f'{n:04}', 1, score, score) for n in range(3_000)])
    found = collected.details()
    texts = [] if np.isnan(score) else [f'{number:04}' for number in range(SHOWN_EXAMPLES)]
    assert [example.text for example in found.mistakes] == texts
    assert [example.text for example in found.uncertain] == texts
    assert found.unscored == (3_000 if np.isnan(score) else 0)
    assert len(pickle.dumps(collected.collector)) < 20_000


def explain(texts: list[bytes]) -> list[list[tuple[str, float]]]:
    """Return the start and the length of each text, repeated more often than is stored."""
    return [[(text[:6].decode(errors='replace'), float(len(text)))] * 9 for text in texts]


def test_contributions_are_kept_when_collectors_are_merged() -> None:
    of = rows()
    whole, total = Collected(of), Collected([])
    whole.collector.add_contributions(explain)
    for start in range(0, len(of), 700):
        part = Collected(of[start : start + 700])
        part.collector.add_contributions(explain)
        total.merge(part)
    details = total.details()
    assert details == whole.details()
    for example in details.mistakes + details.uncertain:
        # Contributions are those of the whole text, even if it is shown truncated.
        words, length = example.contributions[0]
        assert example.text.startswith(words.rstrip('\ufffd'))
        assert (length > len(example.text.encode())) == example.cut
        assert len(example.contributions) == SHOWN_PARTS


def test_contributions_are_empty_when_the_model_cannot_explain() -> None:
    assert all(example.contributions == [] for example in Collected(rows()).details().mistakes)


DETAILS = ScoreDetails(
    candidate=Histogram(positive=[0, 2], negative=[1, 0]),
    baseline=None,
    mistakes=[Example(text='</script> très bien\n🎬', cut=True, label=0, probability=0.987654321)],
    uncertain=[],
    true_positives=2,
    false_positives=1,
    true_negatives=0,
    false_negatives=0,
    unscored=3,
)


def test_details_are_unchanged_when_written_and_read(tmp_path: pathlib.Path) -> None:
    assert read_score_details(str(tmp_path)) is None
    path = tmp_path / SCORE_DETAILS_FILE
    path.parent.mkdir()
    path.write_bytes(to_json(DETAILS))
    assert read_score_details(str(tmp_path)) == DETAILS
    path.write_bytes(to_json(DETAILS).replace(b'"label":0', b'"label":"x"'))
    with pytest.raises(ValueError, match=r'mistakes\.0\.label'):
        read_score_details(str(tmp_path))


def test_details_have_the_default_threshold_when_an_older_version_wrote_them(
    tmp_path: pathlib.Path,
) -> None:
    details = Collected(rows(), threshold=0.25).details()
    stored = json.loads(to_json(details))
    assert stored.pop('threshold') == 0.25
    (tmp_path / SCORE_DETAILS_FILE).parent.mkdir()
    (tmp_path / SCORE_DETAILS_FILE).write_text(json.dumps(stored))
    assert read_score_details(str(tmp_path)) == dataclasses.replace(details, threshold=0.5)
