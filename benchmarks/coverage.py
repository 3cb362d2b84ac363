"""Simulates how often the intervals of the gate contain the true value.

The models that are drawn have known metrics. The latent score of an example is normal with a mean
that depends on the label, and a model turns it into a probability that is a little too sure. Each
replicate is a `test` split with the scores of a candidate and of two baselines: one is as good as
the candidate, and the other is weaker. Their scores are correlated, as those of two versions of a
model are.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from components.evaluator.estimation.estimates import Scores, SliceEstimates, estimate_slices
from components.evaluator.metric_table import EXAMPLE_COUNT, METRICS

SIZES = (50, 200, 2_000)
POSITIVE_SHARES = (0.5, 0.05)
AUCS = (0.75, 0.95)
_CORRELATION = 0.9  # of the noise of two models
_WEAKER = 0.8  # separation of the weaker baseline, relative to that of the candidate
_TOO_SURE = 1.2  # factor of the logits
_FEWEST_SPLITS = 50  # a share of fewer splits is not shown
_TRUE_EXAMPLES = 2_000_000

_METRICS = tuple(metric for metric in METRICS if metric.name != EXAMPLE_COUNT)
_MODELS = {'candidate': 1.0, 'equal': 1.0, 'weaker': _WEAKER}

Floats = npt.NDArray[np.float64]
Truth = dict[str, dict[str, float]]  # by model and metric


class Population(NamedTuple):
    """A distribution of examples.

    Attributes:
        positive_share: Share of the positive examples.
        auc: AUC of the candidate.
    """

    positive_share: float
    auc: float

    def draw(self, examples: int, rng: np.random.Generator) -> tuple[Any, dict[str, Floats]]:
        """Draw labels, and the predictions of each model."""
        labels = (rng.random(examples) < self.positive_share).astype(np.int8)
        common = np.sqrt(_CORRELATION) * rng.standard_normal(examples)
        predictions = {}
        for model, factor in _MODELS.items():
            noise = common + np.sqrt(1 - _CORRELATION) * rng.standard_normal(examples)
            separation = factor * np.sqrt(2) * special.ndtri(self.auc)
            logits = separation * (noise + separation * (labels - 0.5))
            logits += special.logit(self.positive_share)
            predictions[model] = special.expit(_TOO_SURE * logits)
        return labels, predictions


def run(replicates: int) -> list[dict[str, Any]]:
    """Simulate splits of each size from each population.

    Returns:
        A row for each population, size and metric. `with_interval` and `with_verdict` are numbers
        of splits, the others are shares: `intervals` is the share of the splits, of
        those with a value, that have an interval, and `coverage` the share of these that contain
        the true value. Of the splits with a verdict, `false_alarms` is the share with a difference
        where there is none, `right` and `wrong` are the shares with a true difference and with its
        opposite, and `change_coverage` is the share whose interval contains the true change.
    """
    rows = []
    for share, auc in itertools.product(POSITIVE_SHARES, AUCS):
        population = Population(share, auc)
        truth = _true_values(population)
        for size in SIZES:
            counts = _simulate(population, truth, size, replicates)
            rows += [
                {'positive_share': share, 'auc': auc, 'examples': size, 'metric': name, **of_metric}
                for name, of_metric in counts.items()
            ]
    return rows


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return a table by metric and size, with the worst population in each cell.

    The share of right verdicts is that of balanced labels. At least 100 replicates are needed.
    """
    head = (
        'metric',
        'examples',
        'coverage',
        'no interval',
        'change',
        'false alarms',
        'right',
        'wrong',
    )
    lines = [f'| {" | ".join(head)} |', '|---' * len(head) + '|']
    by_metric = collections.defaultdict(list)
    for row in rows:
        by_metric[row['metric'], row['examples']].append(row)
    for metric in _METRICS:
        for size in SIZES:
            found = by_metric[metric.name, size]
            with_interval = [row for row in found if row['with_interval'] >= _FEWEST_SPLITS]
            with_verdict = [row for row in found if row['with_verdict'] >= _FEWEST_SPLITS]
            balanced = [row for row in with_verdict if row['positive_share'] == 0.5]
            cells = [
                f'{min(row["coverage"] for row in with_interval):.1%}',
                f'{max(1 - row["intervals"] for row in found):.0%}',
                f'{min(row["change_coverage"] for row in with_verdict):.1%}',
                f'{max(row["false_alarms"] for row in with_verdict):.1%}',
                f'{min(row["right"] for row in balanced):.0%}',
                f'{max(row["wrong"] for row in with_verdict):.1%}',
            ]
            lines.append(f'| {metric.label} | {size:,} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def _true_values(population: Population) -> Truth:
    labels, predictions = population.draw(_TRUE_EXAMPLES, np.random.default_rng(0))
    return {
        model: {
            name: estimate.value
            for name, estimate in _estimate(labels, column).candidate.items()
            if estimate.value is not None
        }
        for model, column in predictions.items()
    }


def _estimate(labels: Any, candidate: Floats, baseline: Floats | None = None) -> SliceEstimates:
    predictions = {'candidate': candidate}
    if baseline is not None:
        predictions['baseline'] = baseline
    everything = np.ones(len(labels), np.bool_)
    return estimate_slices(Scores(labels, predictions, {}), {'': everything})['']


def _simulate(
    population: Population, truth: Truth, size: int, replicates: int
) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng([size, *(round(100 * number) for number in population)])
    counts = {metric.name: collections.Counter[str]() for metric in _METRICS}
    for _ in range(replicates):
        labels, predictions = population.draw(size, rng)
        for baseline in ('equal', 'weaker'):
            found = _estimate(labels, predictions['candidate'], predictions[baseline])
            for metric in _METRICS:
                name = metric.name
                if baseline == 'equal':
                    _count_interval(counts[name], *found.candidate[name], truth['candidate'][name])
                change = (found.changes or {})[name]
                true = truth['candidate'][name], truth[baseline][name]
                distance, of_baseline = (metric.distance_from_best(value) for value in true)
                expected = 'better' if distance < of_baseline else 'worse'
                _count_change(counts[name], baseline, change, true[0] - true[1], expected)
    return {name: _shares(found) for name, found in counts.items()}


def _count_interval(
    counts: collections.Counter[str],
    value: float | None,
    low: float | None,
    high: float | None,
    true: float,
) -> None:
    counts['values'] += value is not None
    if low is not None and high is not None:
        counts['intervals'] += 1
        counts['covered'] += low <= true <= high


def _count_change(
    counts: collections.Counter[str], baseline: str, change: Any, true: float, expected: str
) -> None:
    if not change.verdict:
        return
    counts[f'{baseline} verdicts'] += 1
    counts[f'{baseline} covered'] += change.low <= true <= change.high
    if change.verdict != 'no difference':
        counts[f'{baseline} differs'] += 1
        counts[f'{baseline} right'] += change.verdict == expected


def _shares(counts: collections.Counter[str]) -> dict[str, float]:
    def share(part: float, whole: str) -> float:
        return float(part) / max(1, counts[whole])

    return {
        'with_interval': counts['intervals'],
        'with_verdict': min(counts['equal verdicts'], counts['weaker verdicts']),
        'intervals': share(counts['intervals'], 'values'),
        'coverage': share(counts['covered'], 'intervals'),
        'false_alarms': share(counts['equal differs'], 'equal verdicts'),
        'right': share(counts['weaker right'], 'weaker verdicts'),
        'wrong': share(counts['weaker differs'] - counts['weaker right'], 'weaker verdicts'),
        'change_coverage': share(counts['weaker covered'], 'weaker verdicts'),
    }
