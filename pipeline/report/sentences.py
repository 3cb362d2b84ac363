"""What a report says in words: short sentences that say what the figures mean."""

from __future__ import annotations

from collections.abc import Sequence

from components.evaluator.metric_table import (
    EXAMPLE_COUNT,
    Check,
    Interval,
    accuracy_interval,
    find_metric,
    format_metric,
    format_slice,
)
from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.described import Split
from pipeline.models.messages import withdrawn_lines
from pipeline.results.outcome import RunOutcome

NONE = '\N{EN DASH}'  # stands where there is no number


def headline(outcome: RunOutcome) -> str:
    """Say the verdict in a few words."""
    if outcome.outcome == 'failed':
        broken = next((node.id for node in outcome.nodes if node.state == 'failed'), None)
        return f'Failed at {broken}' if broken else 'Failed'
    if outcome.outcome == 'interrupted':
        reached = next((node.id for node in outcome.nodes if node.state == 'interrupted'), None)
        return f'Interrupted at {reached}' if reached else 'Interrupted'
    if outcome.outcome == 'withdrawn':
        return 'Blessed, but withdrawn'
    return 'Blessed, and pushed' if outcome.outcome == 'pushed' else 'Not blessed'


def sign(outcome: RunOutcome) -> str:
    """Return the mark that stands before the verdict."""
    return {'pushed': '✓', 'withdrawn': '!'}.get(outcome.outcome, '✗')


def reasons(outcome: RunOutcome) -> list[str]:
    """Say why the verdict is what it is, and what came of it."""
    if outcome.outcome in ('failed', 'interrupted'):
        return [f'{outcome.error or "The reason is not recorded"}.'.replace('..', '.')]
    failed = [check for check in outcome.thresholds if not check.passed]
    if outcome.outcome in ('pushed', 'withdrawn'):
        told = ['All bounds hold.' if len(outcome.thresholds) > 1 else 'The bound holds.']
    else:
        told = [_missed(check) for check in failed]
        told = told or ['The Evaluator found no metric that meets its bound.']
        told.append('Nothing was pushed; what is served stays as it was.')
    if outcome.withdrawn is not None:
        told += withdrawn_lines(outcome)
    if outcome.baseline is None:
        told.append('There was no baseline: no model had been blessed before.')
    return told


def _missed(check: Check) -> str:
    where = f' on {format_slice(check.slice)}' if check.slice else ''
    value = format_metric(check.metric, check.value, 'missing')
    bound = check.bound.replace('>=', 'at least')
    told = f'{find_metric(check.metric).label}{where} is {value}, expected {bound}'
    return _sentence(told) + (f' {_sentence(check.hint)}' if check.hint else '')


def _sentence(text: str) -> str:
    return f'{text[:1].upper()}{text[1:]}.'


def slices(outcome: RunOutcome) -> list[tuple[str, Interval, int]]:
    """Return name, accuracy and number of examples of each slice, shortest texts first."""
    found = []
    for where, metrics in outcome.slices.items():
        interval = accuracy_interval(metrics)
        if interval is not None:
            name = where.partition('=')[2]
            found.append((name, interval, round(metrics[EXAMPLE_COUNT] or 0)))
    return sorted(found, key=lambda part: leading_number(part[0]))


def leading_number(name: str) -> int:
    """Return what sorts slices by length: `11-50` is 11."""
    digits = name.partition('-')[0].rstrip('+')
    return int(digits) if digits.isdecimal() else 0


def mistakes(details: ScoreDetails, labels: tuple[str, str]) -> str:
    """Say how many examples were classified wrongly, and how."""
    missed, alarms = details.false_negatives, details.false_positives
    right = details.true_positives + details.true_negatives
    total = right + missed + alarms
    told = (
        f'Of {total:,} reviews, {missed + alarms:,} were classified wrongly: '
        f'{alarms:,} {labels[0]} ones taken for {labels[1]}, '
        f'{missed:,} {labels[1]} ones taken for {labels[0]}.'
    )
    if details.unscored:
        told += f' {details.unscored:,} more got no probability.'
    return told


def surest(details: ScoreDetails) -> str:
    """Say how many mistakes the model was sure of."""
    tenth = len(details.candidate.positive) // 10
    wrong = sum(details.candidate.positive[:tenth]) + sum(details.candidate.negative[-tenth:])
    sure = (
        wrong
        + sum(details.candidate.negative[:tenth])
        + sum(details.candidate.positive[-tenth:])
    )
    if not sure:
        return 'No review got a probability below 0.1 or above 0.9.'
    return (
        f'{sure:,} reviews got a probability below 0.1 or above 0.9; '
        f'{wrong:,} of these ({wrong / sure:.1%}) are on the wrong side.'
    )


def duplicates(splits: Sequence[Split]) -> str:
    """Say what occurs more than once, and what is in training and in test."""
    within = sum(split.duplicates for split in splits)
    test = next((split for split in splits if split.name == 'test'), None)
    leaked = test.shared.get('train', 0) if test else 0
    if not within and not leaked and not any(any(s.shared.values()) for s in splits):
        return 'No review occurs twice, within a split or across splits.'
    told = f'{within:,} reviews repeat an earlier one of their split.'
    if test is None:
        return told
    if not leaked:
        return f'{told} No review of test is in train.'
    return f'{told} {leaked:,} reviews of test ({leaked / test.examples:.1%}) are in train, too.'

