"""Prepares the content of each section of the report page."""

from __future__ import annotations

from typing import Any

from components.evaluator.metric_table import (
    ACCURACY,
    LOSS,
    accuracy_interval,
    find_metric,
)
from components.statistics_gen.text_statistics import (
    MIN_KNOWN_COUNT,
    SplitStatistics,
    TextStatistics,
)
from pipeline.report import charts, curves, measures, sentences
from pipeline.report.measures import Point
from pipeline.report.view import Missing, Report
from pipeline.results.outcome import RunOutcome

Context = dict[str, Any]

_FREQUENT_WORDS_SHOWN = 30


def verdict(outcome: RunOutcome) -> Context:
    """Return the verdict, its reasons, and the table of metrics and bounds."""
    return {
        'headline': sentences.headline(outcome),
        'reasons': sentences.reasons(outcome),
        'metrics': outcome.metric_rows() if outcome.metrics else [],
        'other_checks': outcome.other_checks(),
        'accuracy': accuracy_interval(outcome.metrics),
    }


def learning(report: Report) -> Context | Missing:
    """Return the metrics of the training, by epoch."""
    if isinstance(report.history, Missing):
        return report.history
    found: list[Context] = []
    for metric in (LOSS, ACCURACY):
        train, val = report.history.get(metric, []), report.history.get(f'val_{metric}', [])
        if not train or len(train) != len(val):
            continue
        label = find_metric(metric).label
        name = f'{label} by epoch; at the end {train[-1]:.4f} on train, {val[-1]:.4f} on val'
        chart = charts.draw_learning(train, val, label, name) if len(train) > 1 else None
        found.append({'label': label, 'train': train, 'val': val, 'chart': chart})
    if not found:
        return Missing(reason='The Trainer stored no metrics of train and val.')
    best = min(range(len(found[0]['val'])), key=found[0]['val'].__getitem__) + 1
    return {'metrics': found, 'epochs': len(found[0]['train']), 'best': best}


def scores(report: Report) -> Context | Missing:
    """Return the charts of the scores on test."""
    if isinstance(report.scores, Missing):
        return report.scores
    details = report.scores
    histograms = {'candidate': details.candidate}
    if details.baseline is not None:
        histograms['baseline'] = details.baseline
    positives = details.true_positives + details.false_negatives
    negatives = details.true_negatives + details.false_positives
    predicted = details.true_positives + details.false_positives
    at_half: tuple[list[Point], list[Point]] = ([], [])
    if positives and negatives:
        recall = details.true_positives / positives
        at_half[0].append(Point(details.false_positives / negatives, recall))
        if predicted:
            at_half[1].append(Point(recall, details.true_positives / predicted))
    mistakes = sentences.mistakes(details, report.labels)
    return {
        'mistakes': mistakes,
        'confident_mistakes': sentences.confident_mistakes(details),
        'histogram': charts.draw_scores(
            details, report.labels, f'Scores of the texts of each label. {mistakes}'
        ),
        'curves': curves.draw_curves(histograms, at_half),
        'details': details,
    }


def slices(outcome: RunOutcome) -> Context | Missing:
    """Return the accuracy by number of words."""
    parts = measures.slice_accuracies(outcome)
    overall = accuracy_interval(outcome.metrics)
    if not parts or overall is None:
        return Missing(reason='The run ended before the Evaluator.')
    worse = [part for part in parts if part.accuracy.high < overall.share]
    listed = ', '.join(f'{part.name} words ({part.accuracy.share:.4f})' for part in worse)
    summary = (
        f'Texts with {listed} are clearly below the overall accuracy of {overall.share:.4f}.'
        if worse
        else f'No length is clearly below the overall accuracy of {overall.share:.4f}.'
    )
    chart = charts.draw_slices(
        parts, overall.share, f'Accuracy by number of words, with 95% intervals. {summary}'
    )
    return {'parts': parts, 'summary': summary, 'chart': chart}


def data(report: Report) -> Context | Missing:
    """Return the statistics of the data."""
    if isinstance(report.data, Missing):
        return report.data
    found = report.data
    splits = found.described.splits
    train = next((split for split in splits if split.name == 'train'), None)
    total = sum(split.examples for split in splits)
    sizes = ', '.join(f'{split.name} {split.examples:,}' for split in splits)
    return {
        'found': found,
        'splits': splits,
        'unlabelled': any(split.positive is None for split in splits),
        'rejects': report.outcome.rejects,
        'chance': _chance(found.described, train) if train else {},
        'known_from': MIN_KNOWN_COUNT,
        'sizes': f'{total:,} texts: {sizes}.',
        'duplicates': sentences.duplicates(splits),
        'splits_chart': charts.draw_splits(splits, report.labels, f'Texts by split: {sizes}'),
        'lengths_chart': charts.draw_lengths(splits, 'Number of words of the texts in each split'),
        'frequent': train.frequent[:_FREQUENT_WORDS_SHOWN] if train else [],
    }


def _chance(described: TextStatistics, train: SplitStatistics) -> dict[str, float]:
    """Return the drift of each split that is expected by chance."""
    different = len(described.fingerprint_words)
    return {
        split.name: measures.divergence_by_chance(different, train.words, split.words)
        for split in described.splits
        if split is not train and split.words and train.words
    }
