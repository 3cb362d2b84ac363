"""Prepares the content of each section of the report page, and the sentences that explain it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.common.decision_threshold import format_threshold
from components.evaluator.metric_rows import interval_name
from components.evaluator.metric_table import (
    ACCURACY,
    LOSS,
    Check,
    find_metric,
    format_metric,
    format_slice,
)
from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.text_statistics import (
    MIN_KNOWN_COUNT,
    SplitStatistics,
    TextStatistics,
)
from pipeline.report import charts, curves, interval_charts, measures
from pipeline.report.measures import Point
from pipeline.report.view import Missing, Report
from pipeline.results.outcome import NO_BASELINE, RunOutcome, State

Context = dict[str, Any]

MINUS = '\N{MINUS SIGN}'
NONE = '\N{EN DASH}'  # in place of a missing number
_FREQUENT_WORDS_SHOWN = 30


def verdict(outcome: RunOutcome) -> Context:
    """Return the verdict, its reasons, and the table of metrics and bounds."""
    rows = outcome.metric_rows() if outcome.metrics else []
    return {
        'headline': headline(outcome),
        'reasons': reasons(outcome),
        'metrics': rows,
        'accuracy': next((row for row in rows if row.metric.name == ACCURACY), None),
        'interval_name': interval_name(outcome.confidence),
        'changes_chart': interval_charts.draw_changes(rows) if outcome.changes else None,
        # The section of the slices has all bounds of the slices.
        'other_checks': [c for c in outcome.other_checks() if not (c.slice and c.passed)],
    }


def headline(outcome: RunOutcome) -> str:
    """Return the verdict on a run.

    Example:
        headline(load_outcome(pathlib.Path('runs')))  # 'Blessed and pushed'
    """
    headlines = {
        'pushed': 'Blessed and pushed',
        'withdrawn': 'Blessed, not pushed',
        'not_blessed': 'Not blessed',
        'failed': _end('Failed', outcome, 'failed'),
        'interrupted': _end('Interrupted', outcome, 'interrupted'),
    }
    return headlines[outcome.outcome]


def _end(word: str, outcome: RunOutcome, state: State) -> str:
    last = next((node.id for node in outcome.nodes if node.state == state), None)
    return f'{word} at {last}' if last else word


def sign(outcome: RunOutcome) -> str:
    """Return the mark before the verdict."""
    return {'pushed': '✓', 'withdrawn': '!'}.get(outcome.outcome, '✗')


def reasons(outcome: RunOutcome) -> list[str]:
    """Return the reasons for the verdict, and its consequences."""
    if outcome.outcome in ('failed', 'interrupted'):
        return [f'{(outcome.error or "The reason is not recorded").removesuffix(".")}.']
    if outcome.outcome == 'not_blessed':
        missed = [_missed(check) for check in outcome.missed_checks()]
        found = missed or ['The Evaluator found no metric that meets its bound.']
        found.append('Nothing was pushed. The live version is unchanged.')
    else:
        found = ['The candidate meets all bounds.', *outcome.withdrawn_lines()]
    if outcome.baseline is None:
        found.append(NO_BASELINE)
    return found


def _missed(check: Check) -> str:
    label = find_metric(check.metric).label
    where = f' on texts with {format_slice(check.slice)}' if check.slice else ''
    value = format_metric(check.metric, check.value, 'missing')
    if check.judged is not None:
        end = format_metric(check.metric, check.judged)
        value += f', and {end} at the worse end of its interval'
    bound = check.bound.replace('>=', 'at least').replace('<=', 'at most')
    hint = f' {_sentence(check.hint)}' if check.hint else ''
    return _sentence(f'{label}{where} is {value}, expected {bound}') + hint


def _sentence(text: str) -> str:
    return f'{text[:1].upper()}{text[1:]}.'


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
    at_threshold: tuple[list[Point], list[Point]] = ([], [])
    if positives and negatives:
        recall = details.true_positives / positives
        at_threshold[0].append(Point(details.false_positives / negatives, recall))
        if predicted:
            at_threshold[1].append(Point(recall, details.true_positives / predicted))
    sentence = _describe_mistakes(details, report.labels)
    return {
        'mistakes': sentence,
        'confident_mistakes': _describe_confident_mistakes(details),
        'histogram': charts.draw_scores(
            details, report.labels, f'Scores of the texts of each label. {sentence}'
        ),
        'curves': curves.draw_curves(histograms, at_threshold),
        'details': details,
        'threshold': format_threshold(details.threshold),
    }


def _texts(count: int, kind: str = '') -> str:
    return f'{count:,} {kind}text{"s"[: count != 1]}'


def _were(count: int) -> str:
    return 'was' if count == 1 else 'were'


def _describe_mistakes(details: ScoreDetails, labels: tuple[str, str]) -> str:
    """Return how many texts were misclassified."""
    missed, alarms = details.false_negatives, details.false_positives
    total = details.true_positives + details.true_negatives + missed + alarms
    negative, positive = map(repr, labels)
    sentence = f'Of {_texts(total)}, {missed + alarms:,} {_were(missed + alarms)} misclassified'
    kinds = [
        f'{_texts(count)} labelled {label} {_were(count)} taken for {other}'
        for count, label, other in ((alarms, negative, positive), (missed, positive, negative))
        if count
    ]
    sentence += f': {", ".join(kinds)}.' if kinds else '.'
    if details.unscored:
        have = 'has' if details.unscored == 1 else 'have'
        sentence += f' {_texts(details.unscored, "more ")} {have} no probability.'
    return sentence


def _describe_confident_mistakes(details: ScoreDetails) -> str:
    """Return how many texts have the label that the model is confident that they have not."""
    tenth = len(details.candidate.positive) // 10
    wrong = sum(details.candidate.positive[:tenth]) + sum(details.candidate.negative[-tenth:])
    right = sum(details.candidate.negative[:tenth]) + sum(details.candidate.positive[-tenth:])
    total = wrong + right
    if not total:
        return 'No text has a probability below 0.1 or above 0.9.'
    return (
        f'{total:,} texts have a probability below 0.1 or above 0.9. '
        f'{wrong:,} of them ({wrong / total:.1%}) have the other label.'
    )


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
        'duplicates': _describe_duplicates(splits),
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


def _describe_duplicates(splits: Sequence[SplitStatistics]) -> str:
    """Return how many texts are duplicates, and how many of test are in train or val, too."""
    repeated = sum(split.duplicates for split in splits)
    nearly = sum(split.near_duplicates or 0 for split in splits)
    # An older version counted equal texts only.
    across = sum(sum((split.nearly_shared or split.shared).values()) for split in splits)
    if not (repeated or nearly or across):
        return 'There are no duplicates, within or across splits.'
    sentence = (
        f'{repeated:,} texts are duplicates within their split'
        if repeated
        else 'No text is a duplicate within its split'
    )
    sentence += f'; if numbers are ignored, {nearly:,} are.' if nearly > repeated else '.'
    test = next((split for split in splits if split.name == 'test'), None)
    if test is None or test.seen is None or test.nearly_seen is None:
        return sentence
    sentence += (
        f' {test.seen:,} texts of test ({test.seen / test.examples:.1%}) are also in train or val'
        if test.seen
        else ' No text of test is also in train or val'
    )
    if test.nearly_seen == test.seen:
        return f'{sentence}.'
    share = test.nearly_seen / test.examples
    return f'{sentence}; if numbers are ignored, {test.nearly_seen:,} ({share:.1%}) are.'
