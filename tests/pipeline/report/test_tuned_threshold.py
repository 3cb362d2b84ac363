"""The page shows the decision threshold, and how it was found."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from components.evaluator.score_details import BINS, ScoreDetails
from components.trainer.threshold import TunedThreshold, tune_threshold
from components.trainer.threshold_aim import parse_aim
from pipeline.report.charts import draw_scores
from pipeline.report.render import render
from pipeline.report.view import Report
from tests.pipeline.report.sample_reports import make_report

LABELS = ('negative', 'positive')


def tune(aim: str) -> TunedThreshold:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [400, 40])
    return tune_threshold(labels, rng.beta(1 + 2 * labels, 8 - 3 * labels), parse_aim(aim))


def report_at(threshold: float, tuned: TunedThreshold | None = None) -> Report:
    """Return the sample report with another threshold, and the confusion matrix of it."""
    report = make_report()
    details = report.scores
    assert isinstance(details, ScoreDetails)
    cut = round(threshold * BINS)
    scores = dataclasses.replace(
        details,
        threshold=threshold,
        true_positives=sum(details.candidate.positive[cut:]),
        false_positives=sum(details.candidate.negative[cut:]),
        true_negatives=sum(details.candidate.negative[:cut]),
        false_negatives=sum(details.candidate.positive[:cut]),
    )
    return dataclasses.replace(report, scores=scores, tuned=tuned)


def bars(details: ScoreDetails) -> list[tuple[int, str, str, str]]:
    """Return count, label, bin and result of each bar."""
    pattern = (
        r'<title>([0-9,]+) texts labelled \'(\w+)\' with scores from ([0-9.]+ to [0-9.]+): (\w+)'
    )
    found = re.findall(pattern, str(draw_scores(details, LABELS, 'name')))
    return [(int(count.replace(',', '')), *rest) for count, *rest in found]


@pytest.mark.parametrize('threshold', [0.5, 0.231, 0.05, 0.9996])
def test_bars_add_up_to_the_confusion_matrix_at_the_threshold(threshold: float) -> None:
    details = report_at(threshold).scores
    assert isinstance(details, ScoreDetails)
    found = bars(details)
    sums = {
        (label, result): sum(n for n, *rest in found if (rest[0], rest[2]) == (label, result))
        for label in LABELS
        for result in ('right', 'wrong')
    }
    assert sums == {
        ('positive', 'right'): details.true_positives,
        ('positive', 'wrong'): details.false_negatives,
        ('negative', 'right'): details.true_negatives,
        ('negative', 'wrong'): details.false_positives,
    }
    inside = threshold == 0.231
    assert len(found) == 40 + 2 * inside
    split = [where for _, _, where, result in found if result == 'right' and '0.20 to' in where]
    assert len(split) == 1 + inside


def test_page_names_the_threshold_of_the_model_when_it_is_not_the_default() -> None:
    default, low = render(report_at(0.5)), render(report_at(0.231))
    for page, threshold in ((default, '0.5'), (low, '0.231')):
        assert f'The decision threshold is {threshold}. Rows' in page
        assert page.count(f'The dot is the threshold {threshold},') == 2
        assert 'Decision threshold.' not in page


@pytest.mark.parametrize(
    ('aim', 'sentence'),
    [
        ('f1', r'has the best f1: f1 0\.\d{4}\.'),
        ('balanced_accuracy', r'has the best balanced accuracy: balanced accuracy 0\.\d{4}\.'),
        (
            'recall at precision 0.6',
            r'has the best recall at precision 0\.6: recall 0\.\d{4} at precision 0\.\d{4}\.',
        ),
    ],
)
def test_page_shows_the_curve_of_the_aim_when_the_threshold_is_tuned(
    aim: str, sentence: str
) -> None:
    tuned = tune(aim)
    page = render(report_at(0.231, tuned))
    assert page.count('Decision threshold.') == 1
    assert re.search(rf'On 440 texts of val, the threshold 0\.\d+ {sentence}', page)
    metric = aim.partition(' at ')[0].replace('_', ' ')
    assert re.search(rf'<title>threshold 0\.\d+: {metric} {tuned.value:.4f}</title>', page)
    assert ('>precision</text>' in page.partition('Decision threshold.')[2]) == (' at ' in aim)
