"""What each section of the page of a run is given to show."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import yaml
from markupsafe import Markup

from components.evaluator.metric_table import (
    BASELINE_PREFIX,
    COMPARED_METRICS,
    accuracy_interval,
)
from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.described import KNOWN_FROM, Described
from pipeline.report import charts, curves, data_charts, measures, sentences
from pipeline.report.charts import Slice
from pipeline.report.curves import Curve
from pipeline.report.graph import draw_graph
from pipeline.report.measures import Point
from pipeline.report.view import Data, Nothing, Report
from pipeline.results.outcome import RunOutcome

Context = dict[str, Any]


def verdict(outcome: RunOutcome) -> Context:
    """Return the verdict, its reasons, and each metric beside its bounds."""
    rows = []
    for metric in COMPARED_METRICS:
        value = outcome.metrics.get(metric.name)
        checks = [c for c in outcome.thresholds if c.metric == metric.name and not c.slice]
        base = (outcome.baseline or {}).get(metric.name)
        rows.append(
            {
                'metric': metric,
                'value': value,
                'checks': checks,
                'baseline': base,
                'change': None if value is None or base is None else value - base,
            }
        )
    return {
        'headline': sentences.headline(outcome),
        'reasons': sentences.reasons(outcome),
        'metrics': rows if outcome.metrics else [],
        'other_checks': [
            check
            for check in outcome.thresholds
            if check.slice or check.metric.startswith(BASELINE_PREFIX)
        ],
        'accuracy': accuracy_interval(outcome.metrics),
    }


def learning(report: Report) -> Context | Nothing:
    """Return how training went, by metric."""
    if isinstance(report.history, Nothing):
        return report.history
    found: list[Context] = []
    for key, name in (('loss', 'loss'), ('binary_accuracy', 'accuracy')):
        train, val = report.history.get(key, []), report.history.get(f'val_{key}', [])
        if not train or len(train) != len(val):
            continue
        last = f'{name} {train[-1]:.4f} on train, {val[-1]:.4f} on val'
        told = f'{name} by epoch; after the last, {last}'
        chart = charts.draw_learning(train, val, name, told) if len(train) > 1 else None
        found.append({'name': name, 'train': train, 'val': val, 'chart': chart})
    if not found:
        return Nothing(why='The Trainer kept no history of train and val.')
    best = min(range(len(found[0]['val'])), key=found[0]['val'].__getitem__) + 1
    return {'metrics': found, 'epochs': len(found[0]['train']), 'best': best}


def scores(report: Report) -> Context | Nothing:
    """Return what the scores on test look like."""
    if isinstance(report.scores, Nothing):
        return report.scores
    details = report.scores
    roc = [Curve('candidate', measures.roc(details.candidate))]
    recall = [Curve('candidate', measures.precision_recall(details.candidate))]
    bins = {'candidate': measures.reliability(details.candidate)}
    if details.baseline is not None:
        roc.append(Curve('baseline', measures.roc(details.baseline)))
        recall.append(Curve('baseline', measures.precision_recall(details.baseline)))
        bins['baseline'] = measures.reliability(details.baseline)
    told = sentences.mistakes(details, report.labels)
    context: Context = {
        'details': details,
        'mistakes': told,
        'surest': sentences.surest(details),
        'histogram': charts.draw_scores(
            details, report.labels, f'Scores of the reviews of each label. {told}'
        ),
        'roc': None,
        'recall': None,
        'reliability': None,
        'confusion': _confusion(details, report.labels),
    }
    if bins['candidate']:
        context['reliability'] = curves.draw_reliability(
            bins, 'Share of positives observed over predicted probability, with 95% intervals'
        )
    positives = details.true_positives + details.false_negatives
    negatives = details.true_negatives + details.false_positives
    auc = report.outcome.metrics.get('auc')
    if positives and negatives:
        hits = details.true_positives / positives
        alarms = details.false_positives / negatives
        context['roc'] = curves.draw_roc(
            roc, Point(alarms, hits), 'ROC curve' + (f'; AUC {auc:.4f}' if auc else '')
        )
        predicted = details.true_positives + details.false_positives
        at_half = Point(hits, details.true_positives / predicted) if predicted else None
        context['recall'] = curves.draw_precision_recall(
            recall, positives / (positives + negatives), at_half, 'Precision over recall'
        )
    return context


def _confusion(details: ScoreDetails, labels: tuple[str, str]) -> list[Context]:
    """Return the rows of the confusion matrix, with the share of each cell in its row."""
    cells = (
        (labels[1], details.true_positives, details.false_negatives),
        (labels[0], details.false_positives, details.true_negatives),
    )
    rows = []
    for row, (label, positive, negative) in enumerate(cells):
        total = positive + negative
        rows.append(
            {
                'label': label,
                'total': total,
                'cells': [
                    {'count': n, 'share': n / total if total else 0.0, 'right': row == column}
                    for column, n in enumerate((positive, negative))
                ],
            }
        )
    return rows


def slices(outcome: RunOutcome) -> Context | Nothing:
    """Return the accuracy by length of the review."""
    parts = [Slice(*part) for part in sentences.slices(outcome)]
    overall = accuracy_interval(outcome.metrics)
    if not parts or overall is None:
        return Nothing(why='The run ended before the candidate was judged.')
    worse = [part for part in parts if part.accuracy.high < overall.share]
    listed = ', '.join(f'{part.name} words ({part.accuracy.share:.4f})' for part in worse)
    told = (
        f'Clearly below the {overall.share:.4f} on all of test: reviews of {listed}.'
        if worse
        else f'No length is clearly below the {overall.share:.4f} on all of test.'
    )
    return {
        'parts': parts,
        'told': told,
        'chart': charts.draw_slices(
            parts, overall.share, f'Accuracy by length of the review, with 95% intervals. {told}'
        ),
    }


def data(report: Report) -> Context | Nothing:
    """Return what the data looks like."""
    if isinstance(report.data, Nothing):
        return report.data
    found = report.data
    splits = found.described.splits
    total = sum(split.examples for split in splits)
    sizes = ', '.join(f'{split.name} {split.examples:,}' for split in splits)
    return {
        'splits': splits,
        'unlabelled': any(split.positive is None for split in splits),
        'rejected': found.rejected,
        'rejects': report.outcome.rejects,
        'anomalies': found.anomalies,
        'baseline': found.baseline,
        'drift': found.described.drift,
        'chance': _chance(found.described),
        'known_from': KNOWN_FROM,
        'told': f'{total:,} reviews: {sizes}.',
        'duplicates': sentences.duplicates(splits),
        'sizes': data_charts.draw_splits(splits, report.labels, f'Reviews by split: {sizes}'),
        'lengths': data_charts.draw_lengths(splits, 'Words by review, of each split'),
        'frequent': _frequent(found),
    }


def _chance(described: Described) -> dict[str, float]:
    """Estimate the drift of each split that is due to chance."""
    train = next((split for split in described.splits if split.name == 'train'), None)
    if train is None or not train.words:
        return {}
    different = len(described.fingerprint_words)
    return {
        split.name: measures.divergence_by_chance(different, train.words, split.words)
        for split in described.splits
        if split is not train and split.words
    }


def _frequent(found: Data, shown: int = 30) -> list[Context]:
    train = next((s for s in found.described.splits if s.name == 'train'), None)
    if train is None or not train.frequent or not train.words:
        return []
    most = train.frequent[0][1]
    return [
        {'word': word, 'count': count, 'share': count / train.words, 'of_most': count / most}
        for word, count in train.frequent[:shown]
    ]


def graph(report: Report) -> Markup | None:
    """Return the drawing of the lineage, None if the run had no node."""
    if not report.steps:
        return None
    states = ', '.join(f'{step.id} {step.state}' for step in report.steps)
    name = f'The nodes of the run and what they hand on: {states}. The table has the same.'
    return draw_graph(report.steps, name)


def again(outcome: RunOutcome) -> Context:
    """Return what it takes to run it again."""
    config: Mapping[str, Any] = outcome.config
    command = ['python', 'pipeline_runner.py', 'run', '--config', f'{outcome.run_id}.yaml']
    return {
        'command': shlex.join(command),
        'config': yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
        if config
        else '',
    }
