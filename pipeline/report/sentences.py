"""The sentences of a report that explain its figures."""

from __future__ import annotations

from collections.abc import Sequence

from components.evaluator.metric_table import (
    Check,
    find_metric,
    format_metric,
    format_slice,
)
from components.evaluator.score_details import ScoreDetails
from components.statistics_gen.text_statistics import SplitStatistics
from pipeline.results.outcome import NO_BASELINE, RunOutcome, State

NONE = '\N{EN DASH}'  # in place of a missing number


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
        missed = [_missed(check) for check in outcome.thresholds if not check.passed]
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
    bound = check.bound.replace('>=', 'at least')
    hint = f' {_sentence(check.hint)}' if check.hint else ''
    return _sentence(f'{label}{where} is {value}, expected {bound}') + hint


def _sentence(text: str) -> str:
    return f'{text[:1].upper()}{text[1:]}.'


def mistakes(details: ScoreDetails, labels: tuple[str, str]) -> str:
    """Return how many texts were misclassified."""
    missed, alarms = details.false_negatives, details.false_positives
    total = details.true_positives + details.true_negatives + missed + alarms
    sentence = (
        f'Of {total:,} texts, {missed + alarms:,} were misclassified: '
        f'{alarms:,} {labels[0]} texts as {labels[1]}, {missed:,} {labels[1]} texts as {labels[0]}.'
    )
    if details.unscored:
        sentence += f' {details.unscored:,} more texts have no probability.'
    return sentence


def confident_mistakes(details: ScoreDetails) -> str:
    """Return how many texts with a confident prediction were misclassified."""
    tenth = len(details.candidate.positive) // 10
    wrong = sum(details.candidate.positive[:tenth]) + sum(details.candidate.negative[-tenth:])
    right = sum(details.candidate.negative[:tenth]) + sum(details.candidate.positive[-tenth:])
    total = wrong + right
    if not total:
        return 'No text has a probability below 0.1 or above 0.9.'
    return (
        f'{total:,} texts have a probability below 0.1 or above 0.9. '
        f'{wrong:,} of them ({wrong / total:.1%}) are misclassified.'
    )


def duplicates(splits: Sequence[SplitStatistics]) -> str:
    """Return how many texts are duplicates, and how many are in both train and test."""
    repeated = sum(split.duplicates for split in splits)
    test = next((split for split in splits if split.name == 'test'), None)
    shared = test.shared.get('train', 0) if test else 0
    if not repeated and not any(any(split.shared.values()) for split in splits):
        return 'There are no duplicates, within or across splits.'
    sentence = f'{repeated:,} texts are duplicates within their split.'
    if test is None:
        return sentence
    if not shared:
        return f'{sentence} No text of test is also in train.'
    return f'{sentence} {shared:,} texts of test ({shared / test.examples:.1%}) are also in train.'
