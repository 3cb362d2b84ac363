"""Compares runs: the content of the page of a comparison."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from components.evaluator.metric_table import COMPARED_METRICS, accuracy_interval
from components.statistics_gen.text_statistics import SplitStatistics, divergence
from pipeline.report import curves, sentences
from pipeline.report.sentences import NONE
from pipeline.report.view import Data, Missing, Report
from pipeline.results.outcome import RunOutcome


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table with a column for each run.

    Attributes:
        name: Header of the row.
        values: Text or number of each run.
        best: Whether the value of each run is the best; none is if all are equal.
    """

    name: str
    values: Sequence[Any]
    best: Sequence[bool] = ()


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The content of the page.

    Attributes:
        reports: The runs.
        letters: Letter of each run on the page: A, B, ….
        summary: Sentences about the result.
        metrics: Metrics on test.
        slices: Accuracy by slice.
        charts: Charts of the runs with scores, by title.
        data: Data of each run.
        settings: Settings that differ.
        code: Versions and fingerprints that differ.
        nodes: Time or state of each node.
    """

    reports: Sequence[Report]
    letters: Sequence[str]
    summary: Sequence[str]
    metrics: Sequence[Row]
    slices: Sequence[Row]
    charts: Mapping[str, Markup]
    data: Sequence[Row]
    settings: Sequence[Row]
    code: Sequence[Row]
    nodes: Sequence[Row]

    @property
    def columns(self) -> list[str]:
        """Names of the columns of numbers, in the form that the macro `table` takes."""
        return [f'{letter}#' for letter in self.letters]


def compare(reports: Sequence[Report]) -> Comparison:
    """Compare two runs or more, at most as many as there are `STYLES` of curves."""
    letters = string.ascii_uppercase[: len(reports)]
    return Comparison(
        reports=reports,
        letters=letters,
        summary=_summary(reports, letters),
        metrics=_metrics(reports),
        slices=_slices(reports),
        charts=_charts(reports, letters),
        data=_data(reports, letters),
        settings=_differing([_flat(report.outcome.config) for report in reports]),
        code=_differing([_code(report) for report in reports]),
        nodes=_nodes(reports),
    )


def _summary(reports: Sequence[Report], letters: Sequence[str]) -> list[str]:
    judged = [
        (interval, letter)
        for report, letter in zip(reports, letters)
        if (interval := accuracy_interval(report.outcome.metrics)) is not None
    ]
    if len(judged) < 2:
        return ['Fewer than two of these runs were evaluated.']
    judged.sort(key=lambda pair: pair[0].share, reverse=True)
    (best, first), (next_best, second) = judged[:2]
    if best.share == next_best.share:
        summary = [f'{first} and {second} have the same accuracy, {best.share:.4f}.']
    else:
        gap = best.share - next_best.share
        summary = [
            f'{first} has the highest accuracy, {best.share:.4f}: {gap:.4f} above {second}.',
            'Their 95% intervals overlap.'
            if best.low <= next_best.high
            else 'Their 95% intervals do not overlap.',
        ]
    tests = {_texts(split) for report in reports if (split := _split(report, 'test'))}
    if len(tests) > 1:
        summary.append('They were evaluated on different texts: the test splits differ.')
    return summary


def _texts(split: SplitStatistics) -> tuple[Any, ...]:
    """Return facts that depend on the texts of the split only."""
    counts = (split.examples, split.positive, split.negative, split.words, split.duplicates)
    return (*counts, *split.lengths, *split.frequent)


def _metrics(reports: Sequence[Report]) -> list[Row]:
    rows = []
    for metric in COMPARED_METRICS:
        values = [report.outcome.metrics.get(metric.name) for report in reports]
        known = [value for value in values if value is not None]
        if known:
            loss = {value: metric.distance_from_best(value) for value in known}
            least = min(loss.values())
            differ = len(set(known)) > 1
            best = [differ and value is not None and loss[value] == least for value in values]
            rows.append(Row(metric.label, values, best))
    return rows


def _slices(reports: Sequence[Report]) -> list[Row]:
    found = [
        {name: interval for name, interval, _ in sentences.slices(report.outcome)}
        for report in reports
    ]
    names = dict.fromkeys(name for of_run in found for name in of_run)
    return [
        Row(name, [of_run[name].share if name in of_run else None for of_run in found])
        for name in sorted(names, key=sentences.leading_number)
    ]


def _charts(reports: Sequence[Report], letters: Sequence[str]) -> dict[str, Markup]:
    scores = {
        letter: report.scores.candidate
        for report, letter in zip(reports, letters)
        if not isinstance(report.scores, Missing)
    }
    return curves.draw_curves(scores) if scores else {}


def _data(reports: Sequence[Report], letters: Sequence[str]) -> list[Row]:
    rows = [Row('data', [report.outcome.data for report in reports])]
    names = dict.fromkeys(
        split.name
        for report in reports
        if isinstance(report.data, Data)
        for split in report.data.described.splits
    )
    for name in names:
        found = [_split(report, name) for report in reports]
        rows.append(
            Row(f'texts in {name}', [f'{s.examples:,}' if s else NONE for s in found])
        )
    base = reports[0].data
    if isinstance(base, Data):
        words = base.described.fingerprint_words
        drifts = [
            NONE
            if isinstance(report.data, Missing)
            else f'{divergence(words, report.data.described.fingerprint_words):.4f}'
            for report in reports
        ]
        rows.append(Row(f'drift of train from {letters[0]}', drifts))
    return rows


def _split(report: Report, name: str) -> SplitStatistics | None:
    if isinstance(report.data, Missing):
        return None
    return next((s for s in report.data.described.splits if s.name == name), None)


def _nodes(reports: Sequence[Report]) -> list[Row]:
    names = dict.fromkeys(node.id for report in reports for node in report.outcome.nodes)
    rows = [Row(name, [_time(report.outcome, name) for report in reports]) for name in names]
    return [*rows, Row('total', [f'{report.outcome.seconds:.1f} s' for report in reports])]


def _time(outcome: RunOutcome, node_id: str) -> str:
    node = next((node for node in outcome.nodes if node.id == node_id), None)
    if node is None:
        return NONE
    return f'{node.seconds:.1f} s' if node.state == 'executed' else node.state


def _code(report: Report) -> dict[str, str]:
    nodes = report.nodes.items()
    prints = {f'code of {node_id}': node.fingerprint[:12] or NONE for node_id, node in nodes}
    return {**report.outcome.versions, **prints}


def _differing(of_runs: Sequence[Mapping[str, str]]) -> list[Row]:
    names = dict.fromkeys(name for of_run in of_runs for name in of_run)
    rows = [Row(name, [of_run.get(name, NONE) for of_run in of_runs]) for name in names]
    return [row for row in rows if len(set(row.values)) > 1]


def _flat(tree: Mapping[str, Any], prefix: str = '') -> dict[str, str]:
    """Return settings by dotted name."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f'{prefix}{name}.')
        else:
            flat[prefix + name] = str(value)
    return flat
