"""Makes sample reports with all content that a report can have."""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Literal

from components.evaluator.metric_table import Check, MetricChange
from components.evaluator.score_details import BINS, Example, Histogram, ScoreDetails
from components.label_issues.table import IssueSummary, LabelIssue, ShownIssue
from components.statistics_gen.text_statistics import SplitStatistics, TextStatistics
from pipeline.report.view import Artifact, BaselineData, Data, Missing, RecordedNode, Report
from pipeline.results.outcome import NodeResult, Pushed, RunOutcome, State, Verdict
from tests.conftest import NODES

HOSTILE = '<script>window.stolen = 1</script><img src=x onerror="window.stolen = 1">'
_LABELS = ('negative', 'positive')
_SLICES = {'1-10': 40, '11-50': 800, '51-100': 3_100, '101-200': 12_000, '201-400': 6_500}
_SLICES['401+'] = 2_560
_WORDS = ('the', 'and', 'a', 'of', 'to', 'is', 'it', 'film', 'movie', 'in', 'this', 'that', 'was')


def make_outcome(outcome: Verdict = 'pushed', **changes: Any) -> RunOutcome:
    """Return the record of a run with a baseline, or of one that failed at the Trainer."""
    if outcome == 'failed':
        fields: dict[str, Any] = {'error': 'Trainer: no space left on the disk'}
    else:
        passed = outcome != 'not_blessed'
        accuracy = 0.923 if passed else 0.7912
        fields = {
            'metrics': _metrics(accuracy, 25_000),
            'intervals': _intervals(_metrics(accuracy, 25_000)),
            'slices': {f'length={n}': _metrics(accuracy, count) for n, count in _SLICES.items()},
            'slice_intervals': {
                f'length={n}': _intervals(_metrics(accuracy, count)) for n, count in _SLICES.items()
            },
            'changes': {
                'binary_accuracy': MetricChange(
                    change=0.012, low=0.01, high=0.014, verdict='better'
                ),
                'loss': MetricChange(change=0.001, low=-0.001, high=0.003, verdict='no difference'),
                'calibration': MetricChange(change=0.03, low=0.01, high=0.05, verdict='worse'),
            },
            'thresholds': (_check(accuracy, 0.8, ''), _check(accuracy, 0.91, ' (baseline)')),
            'baseline': _metrics(0.911, 25_000),
            'baseline_version': '1795399776',
            'pushed': Pushed(path='/runs/serving/sentiment/1795486776', version='1795486776')
            if passed
            else None,
        }
    record = RunOutcome(
        run_id='2026-11-24T02-19-23',
        outcome=outcome,
        name='sentiment',
        data='reviews/day-{YYYY}{MM}{DD}/*.csv',
        spans='spans 2026-11-18 to 2026-11-24',
        nodes=_results(outcome),
        seconds=40.2,
        log='runs/logs/2026-11-24T02-19-23.log',
        config={'name': 'sentiment', 'preset': 'ngram', 'trainer': {'epochs': 10}},
        versions={'python': '3.10.13', 'tfx': '1.16.0', 'tensorflow': '2.16.2'},
        **fields,
    )
    return dataclasses.replace(record, **changes)


def make_report(outcome: Literal['pushed', 'not_blessed', 'failed'] = 'pushed') -> Report:
    """Return a report in which one text is hostile, and another has all other problems."""
    record = make_outcome(outcome)
    failed = outcome == 'failed'
    early = Missing(reason='The run ended before the Evaluator: Trainer failed.')
    return Report(
        outcome=record,
        labels=_LABELS,
        history=Missing(reason='Trainer failed.') if failed else _history(),
        scores=early if failed else _scores(),
        label_issues=early if failed else _label_issues(),
        data=_data(),
        nodes=_nodes(record.nodes),
        lineage=None,
    )


def _metrics(accuracy: float, examples: int) -> dict[str, float | None]:
    return {
        'binary_accuracy': accuracy,
        'loss': 0.21,
        'auc': 0.9758,
        'precision': accuracy - 0.002,
        'recall': accuracy + 0.001,
        'calibration': 1.004,
        'expected_calibration_error': 0.0081,
        'example_count': float(examples),
    }


def _intervals(metrics: dict[str, float | None]) -> dict[str, tuple[float, float]]:
    half = 1 / ((metrics['example_count'] or 0) ** 0.5)
    return {
        name: (value - half, value + half)
        for name, value in metrics.items()
        if value is not None and name != 'example_count'
    }


def _check(value: float, bound: float, source: str) -> Check:
    return Check(
        metric='binary_accuracy',
        slice='',
        value=value,
        bound=f'>= {bound:.4f}{source}',
        passed=value >= bound,
    )


def _history() -> dict[str, list[float]]:
    return {
        'loss': [0.66, 0.55, 0.45, 0.38, 0.34, 0.30, 0.28, 0.26, 0.24, 0.22],
        'val_loss': [0.62, 0.50, 0.42, 0.38, 0.35, 0.33, 0.32, 0.31, 0.31, 0.31],
        'binary_accuracy': [0.66, 0.77, 0.83, 0.86, 0.88, 0.89, 0.90, 0.91, 0.92, 0.925],
        'val_binary_accuracy': [0.74, 0.81, 0.84, 0.86, 0.865, 0.868, 0.87, 0.871, 0.872, 0.873],
    }


def _histogram(generator: random.Random, sharp: float) -> Histogram:
    counts: dict[bool, list[int]] = {True: [0] * BINS, False: [0] * BINS}
    for label in (True, False):
        for _ in range(12_500):
            score = generator.betavariate(sharp, 0.35)
            score = score if label else 1 - score
            counts[label][min(BINS - 1, int(score * BINS))] += 1
    return Histogram(positive=counts[True], negative=counts[False])


def _scores() -> ScoreDetails:
    generator = random.Random(1)
    candidate = _histogram(generator, 2.0)
    half = BINS // 2
    awkward = 'زبان دیگر ' + 'w' * 300 + '\n\x00\x1b\ud800 & <b>bold</b> "quoted"'
    texts = (HOSTILE, awkward, *(f'A review that is number {n} of several.' for n in range(18)))
    moved = [('not <b>good</b>', -1.25), ('a wonderful', 0.75), ('w' * 300, 0.5)]
    mistakes = [
        Example(
            text=each,
            cut=rank == 2,
            label=rank % 2,
            probability=abs(rank % 2 - 0.99),
            contributions=moved,
        )
        for rank, each in enumerate(texts)
    ]
    uncertain = [
        dataclasses.replace(each, probability=0.5001, cut=False, contributions=[])
        for each in mistakes
    ]
    return ScoreDetails(
        candidate=candidate,
        baseline=_histogram(generator, 1.5),
        mistakes=mistakes,
        uncertain=uncertain,
        true_positives=sum(candidate.positive[half:]),
        false_positives=sum(candidate.negative[half:]),
        true_negatives=sum(candidate.negative[:half]),
        false_negatives=sum(candidate.positive[:half]),
    )


def _label_issues() -> IssueSummary:
    issue = LabelIssue('train', '<b>reviews</b>.csv', 17, 'negative', 'positive', 0.9876)
    places = [issue, issue._replace(split='test', file='', line=1_234)]
    places += [issue._replace(line=line) for line in range(20, 38)]
    return IssueSummary(
        counts={'train': 155, 'val': 0, 'test': 1_137},
        shown=[
            ShownIssue(issue=each, text=HOSTILE if rank == 0 else 'w ' * 1_000, cut=rank == 1)
            for rank, each in enumerate(places)
        ],
    )


def _data() -> Data:
    def split(name: str, examples: int, labelled: bool, **shared: int) -> SplitStatistics:
        lengths = [0, 0, 1, 2, 5, 10, 30, 60, 120, 250, 500, 900, 1_600, 2_600, 3_000, 2_400, 1_500]
        lengths += [800, 400, 200, 50, 10]
        return SplitStatistics(
            name=name,
            examples=examples,
            positive=examples // 2 if labelled else None,
            negative=examples - examples // 2 if labelled else None,
            lengths=[count * examples // sum(lengths) for count in lengths],
            words=examples * 230,
            frequent=[(word, 300_000 // (n + 1)) for n, word in enumerate((*_WORDS, HOSTILE))],
            unknown=None if name == 'train' else 0.021,
            duplicates=96 if name == 'train' else 0,
            shared=shared,
            seen=shared.get('train', 0) + shared.get('val', 0),
            near_duplicates=99 if name == 'train' else 0,
            nearly_shared={other: 2 * number for other, number in shared.items()},
            nearly_seen=2 * (shared.get('train', 0) + shared.get('val', 0)),
        )

    splits = [
        split('train', 22_500, True, test=120),
        split('val', 2_500, True, train=12),
        split('test', 25_000, True, train=123),
        split('unsup', 50_000, False, test=15),
    ]
    return Data(
        described=TextStatistics(
            splits=splits,
            drift={'val': 0.0021, 'test': 0.0034, 'unsup': 0.0026},
            fingerprint_words=list(splits[0].frequent),
        ),
        rejected={'empty text': 3, 'unknown label': 1},
        anomalies='All splits match the schema.',
        baseline=BaselineData(run_id='2026-11-23T02-19-23', divergence=0.0123),
    )


def _results(outcome: str) -> tuple[NodeResult, ...]:
    """Return results in which the nodes before the Trainer are cached."""
    results = []
    state: State = 'cached'
    for node_id in NODES:
        if node_id == 'Trainer':
            state = 'failed' if outcome == 'failed' else 'executed'
        seconds = 0.0 if state in ('cached', 'skipped') else 12.3
        results.append(NodeResult(id=node_id, state=state, seconds=seconds, note='a note'))
        if state == 'failed':
            state = 'skipped'
    return tuple(results)


def _nodes(results: tuple[NodeResult, ...]) -> dict[str, RecordedNode]:
    """Return nodes of which each takes the output of the one before it."""
    artifacts = [
        Artifact(id=number, key=f'output_{number}', uri=f'/runs/artifacts/{number}')
        for number in range(len(results) + 1)
    ]
    return {
        result.id: RecordedNode(
            inputs=(artifacts[number],),
            outputs=() if result.state == 'failed' else (artifacts[number + 1],),
            fingerprint='5f' * 32,
        )
        for number, result in enumerate(results)
        if result.state != 'skipped'
    }
