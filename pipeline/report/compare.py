"""Compares runs: the content of the page of a comparison."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from components.common import features
from components.evaluator.metric_table import ACCURACY, METRICS, Ends
from components.statistics_gen.text_statistics import SplitStatistics, divergence
from pipeline.report import curves, measures
from pipeline.report.sections import NONE
from pipeline.report.view import Data, Missing, Report
from pipeline.results.outcome import NodeResult
from pipeline.settings.config import settings_by_name


class Row(NamedTuple):
    """A row of a table with a column for each run.

    Attributes:
        name: Header of the row.
        values: Text or number of each run.
        best: Whether the value of each run is the best; none is if all are equal.
        intervals: Interval of the value of each run; empty if no value can have one.
    """

    name: str
    values: Sequence[Any]
    best: Sequence[bool] = ()
    intervals: Sequence[Ends | None] = ()


def compare(reports: Sequence[Report]) -> dict[str, Any]:
    """Return the values of the template `compare.html`: letters of the runs, tables and charts.

    Args:
        reports: Two runs or more, at most as many as there are `STYLES` of curves.
    """
    letters = string.ascii_uppercase[: len(reports)]
    scores = {
        letter: report.scores.candidate
        for letter, report in zip(letters, reports)
        if not isinstance(report.scores, Missing)
    }
    return {
        'reports': dict(zip(letters, reports)),
        'columns': [f'{letter}#' for letter in letters],
        'summary': _summary(reports, letters),
        'metrics': _metrics(reports),
        'slices': _slices(reports),
        'charts': curves.draw_curves(scores) if scores else {},
        'data': _data(reports, letters),
        'settings': _differing([settings_by_name(report.outcome.config) for report in reports]),
        'code': _differing([_code(report) for report in reports]),
        'nodes': _nodes(reports),
    }


def _summary(reports: Sequence[Report], letters: Sequence[str]) -> list[str]:
    judged = [
        (accuracy, letter, report.outcome.intervals.get(ACCURACY))
        for report, letter in zip(reports, letters)
        if (accuracy := report.outcome.metrics.get(ACCURACY)) is not None
    ]
    if len(judged) < 2:
        return ['Fewer than two of these runs were evaluated.']
    judged.sort(key=lambda row: row[0], reverse=True)
    (best, first, ends), (next_best, second, other_ends) = judged[:2]
    if best == next_best:
        summary = [f'{first} and {second} have the same accuracy, {best:.4f}.']
    else:
        gap = best - next_best
        summary = [
            f'{first} has the highest accuracy, {best:.4f}: {gap:.4f} above {second}.',
        ]
        if ends and other_ends:
            overlap = 'overlap' if ends[0] <= other_ends[1] else 'do not overlap'
            summary.append(f'Their intervals {overlap}.')
    tests = {_texts(split) for report in reports if (split := _splits(report).get('test'))}
    if len(tests) > 1:
        summary.append('They were evaluated on different texts: the test splits differ.')
    return summary


def _texts(split: SplitStatistics) -> tuple[Any, ...]:
    """Return facts that depend on the texts of the split only."""
    counts = (split.examples, split.positive, split.negative, split.words, split.duplicates)
    return (*counts, *split.lengths, *split.frequent)


def _metrics(reports: Sequence[Report]) -> list[Row]:
    rows = []
    for metric in METRICS:
        if not metric.direction:
            continue
        values = [report.outcome.metrics.get(metric.name) for report in reports]
        known = {value for value in values if value is not None}
        if known:
            least = min(map(metric.distance_from_best, known))
            best = {value for value in known if metric.distance_from_best(value) == least}
            differ = len(known) > 1
            marks = [differ and value in best for value in values]
            ends = [report.outcome.intervals.get(metric.name) for report in reports]
            rows.append(Row(metric.label, values, marks, ends))
    return rows


def _slices(reports: Sequence[Report]) -> dict[str, list[Row]]:
    """Return the accuracy of the slices, by the columns of the slices."""
    found = [measures.slices_by_columns(report.outcome) for report in reports]
    tables: dict[str, list[Row]] = {}
    for columns in dict.fromkeys(columns for of_run in found for columns in of_run):
        parts = [{part.name: part for part in of_run.get(columns, ())} for of_run in found]
        names = dict.fromkeys(name for of_run in parts for name in of_run)
        title = 'number of words' if columns == features.LENGTH_KEY else columns
        tables[title] = [
            Row(
                name,
                [
                    of_run[name].metrics.get(ACCURACY) if name in of_run else None
                    for of_run in parts
                ],
                (),
                [
                    of_run[name].intervals.get(ACCURACY) if name in of_run else None
                    for of_run in parts
                ],
            )
            for name in names
        ]
    return tables


def _data(reports: Sequence[Report], letters: Sequence[str]) -> list[Row]:
    rows = [Row('data', [report.outcome.data for report in reports])]
    splits = [_splits(report) for report in reports]
    for name in dict.fromkeys(name for of_run in splits for name in of_run):
        counts = [f'{of_run[name].examples:,}' if name in of_run else NONE for of_run in splits]
        rows.append(Row(f'texts in {name}', counts))
    base = reports[0].data
    if isinstance(base, Data):
        words = base.described.fingerprint_words
        drifts = [
            f'{divergence(words, report.data.described.fingerprint_words):.4f}'
            if isinstance(report.data, Data)
            else NONE
            for report in reports
        ]
        rows.append(Row(f'drift of train from {letters[0]}', drifts))
    return rows


def _splits(report: Report) -> dict[str, SplitStatistics]:
    found = report.data.described.splits if isinstance(report.data, Data) else ()
    return {split.name: split for split in found}


def _nodes(reports: Sequence[Report]) -> list[Row]:
    times = [{node.id: _time(node) for node in report.outcome.nodes} for report in reports]
    totals = [f'{report.outcome.seconds:.1f} s' for report in reports]
    return [*_rows(times), Row('total', totals)]


def _time(node: NodeResult) -> str:
    return f'{node.seconds:.1f} s' if node.state == 'executed' else node.state


def _code(report: Report) -> dict[str, str]:
    nodes = report.nodes.items()
    prints = {f'code of {node_id}': node.fingerprint[:12] or NONE for node_id, node in nodes}
    return {**report.outcome.versions, **prints}


def _differing(of_runs: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [row for row in _rows(of_runs) if len(set(row.values)) > 1]


def _rows(of_runs: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for of_run in of_runs for name in of_run)
    return [Row(name, [str(of_run.get(name, NONE)) for of_run in of_runs]) for name in names]
