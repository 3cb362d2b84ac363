"""Collects what is to be shown of a run: its record, ML Metadata, and the artifacts."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable
from typing import TypeVar

from components.common.errors import ReviewsError
from components.common.model_versions import restored_by
from components.evaluator.score_details import read_score_details
from components.example_gen.summary import SUMMARY_FILE, ExamplesSummary
from components.served_baseline.baseline import ServedVersion, read_baseline
from components.statistics_gen.text_statistics import (
    TextStatistics,
    divergence,
    read_text_statistics,
)
from components.trainer.history import read_history
from pipeline.report.lineage import Lineage, RecordedNode
from pipeline.report.view import BaselineData, Data, Nothing, Report, Step
from pipeline.results.outcome import NO_BASELINE, RunOutcome, load_records
from pipeline.store.choice import backend_of_run

_log = logging.getLogger(__name__)

_OLDER = 'This run was made before such figures were kept; run it again to have them.'

Found = TypeVar('Found')
_Nodes = dict[str, RecordedNode]


def collect(outcome: RunOutcome, root: pathlib.Path) -> Report:
    """Collect all that is known of a run.

    Args:
        outcome: Its record.
        root: The folder for all that runs write.

    Returns:
        What there is; what is missing says why.
    """
    lineage, silent = _lineage(outcome, root)
    nodes = lineage.nodes(outcome.run_id) if lineage else {}
    summary = _summary(nodes)
    return Report(
        outcome=outcome,
        labels=('negative', 'positive') if isinstance(summary, Nothing) else summary.labels,
        history=_read(outcome, nodes, 'Trainer', 'model_run', read_history),
        scores=_read(outcome, nodes, 'Evaluator', 'evaluation', read_score_details),
        data=_data(outcome, nodes, lineage, summary, root),
        steps=tuple(_steps(outcome, nodes)),
        lineage=None if nodes else Nothing(why=silent or _not_recorded(outcome)),
    )


def _lineage(outcome: RunOutcome, root: pathlib.Path) -> tuple[Lineage | None, str]:
    """Open the store of a run; where that cannot be, say why."""
    try:
        config = backend_of_run(outcome.config, root).reader()
        return (Lineage(config) if config else None), ''
    except ReviewsError as err:  # a page without what it knows is better than none
        _log.warning('ML Metadata cannot be asked', exc_info=True)
        return None, f'ML Metadata cannot be asked: {err}.'


def _steps(outcome: RunOutcome, nodes: _Nodes) -> list[Step]:
    nothing = RecordedNode(inputs=(), outputs=(), fingerprint='')
    steps = []
    for node in outcome.nodes:
        known = nodes.get(node.id, nothing)
        steps.append(
            Step(
                id=node.id,
                state=node.state,
                seconds=node.seconds,
                note=node.note,
                inputs=known.inputs,
                outputs=known.outputs,
                fingerprint=known.fingerprint,
            )
        )
    return steps


def _data(
    outcome: RunOutcome,
    nodes: _Nodes,
    lineage: Lineage | None,
    summary: ExamplesSummary | Nothing,
    root: pathlib.Path,
) -> Data | Nothing:
    described = _read(outcome, nodes, 'StatisticsGen', 'statistics', read_text_statistics)
    if isinstance(described, Nothing):
        return described
    return Data(
        described=described,
        rejected=None if isinstance(summary, Nothing) else summary.rejected,
        anomalies=_anomalies(outcome),
        baseline=_baseline_data(outcome, nodes, lineage, described, root),
    )


def _summary(nodes: _Nodes) -> ExamplesSummary | Nothing:
    uri = nodes['ExampleGen'].uri('examples') if 'ExampleGen' in nodes else None
    if uri is None:
        return Nothing(why='ExampleGen wrote no examples.')
    try:
        return ExamplesSummary.parse(pathlib.Path(uri, SUMMARY_FILE).read_text(encoding='utf-8'))
    except (OSError, ValueError, KeyError):
        _log.warning('the summary of the examples cannot be read', exc_info=True)
        return Nothing(why='The summary of the examples cannot be read.')


def _anomalies(outcome: RunOutcome) -> str | None:
    state = outcome.state_of('ExampleValidator')
    if state in ('executed', 'cached'):
        # It stops the run at an anomaly.
        return 'No anomalies: all splits fit the schema.'
    return outcome.error if state == 'failed' else None


def _run_that_pushed(
    served: ServedVersion, baseline_uri: str, name: str, root: pathlib.Path
) -> str | None:
    """Return the run that pushed a version, or the version that it is a rollback's copy of."""
    restored = restored_by(str(pathlib.Path(baseline_uri, 'Format-Serving')))
    version = restored.version if restored else served.version
    for record in load_records(root, lambda line: None):
        pushed = record['pushed']
        if pushed and pushed['version'] == version and record['name'] == name:
            return str(record['run_id'])
    return None


def _baseline_data(
    outcome: RunOutcome,
    nodes: _Nodes,
    lineage: Lineage | None,
    described: TextStatistics,
    root: pathlib.Path,
) -> BaselineData | Nothing:
    if outcome.state_of('ServedBaseline') not in ('executed', 'cached'):
        return Nothing(why='The run ended before it looked for a baseline.')
    uri = nodes['ServedBaseline'].uri('model') if 'ServedBaseline' in nodes else None
    if lineage is None or uri is None:
        return Nothing(why='ML Metadata does not know the baseline.')
    try:
        served = read_baseline(uri)
        run_id = _run_that_pushed(served, uri, outcome.name, root) if served else None
    except (OSError, ValueError):
        _log.warning('the baseline cannot be read', exc_info=True)
        return Nothing(why='The baseline cannot be read.')
    if served is None:
        return Nothing(why=NO_BASELINE)
    return _data_of_run(run_id, lineage, described)


def _data_of_run(
    run_id: str | None, lineage: Lineage, described: TextStatistics
) -> BaselineData | Nothing:
    statistics = lineage.nodes(run_id).get('StatisticsGen') if run_id else None
    described_at = statistics.uri('statistics') if statistics else None
    if run_id is None or described_at is None:
        return Nothing(why='ML Metadata does not know the data of the baseline.')
    try:
        theirs = read_text_statistics(described_at)
    except (OSError, ValueError):
        _log.warning('what is kept of the data of %s cannot be read', run_id, exc_info=True)
        theirs = None
    if theirs is None:
        return Nothing(why=f'Nothing is kept of the data of run {run_id}, which made the baseline.')
    return BaselineData(
        run_id=run_id,
        divergence=divergence(described.fingerprint_words, theirs.fingerprint_words),
    )


def _read(
    outcome: RunOutcome,
    nodes: _Nodes,
    node_id: str,
    key: str,
    read: Callable[[str], Found | None],
) -> Found | Nothing:
    """Read an output of a node, or say why that cannot be."""
    uri = nodes[node_id].uri(key) if node_id in nodes else None
    if outcome.state_of(node_id) not in ('executed', 'cached'):
        return Nothing(why=_not_reached(outcome, node_id))
    if uri is None:
        return Nothing(why=_not_recorded(outcome))
    if not pathlib.Path(uri).is_dir():
        return Nothing(why=f'The artifact is gone: there is no folder {uri}.')
    try:
        found = read(uri)
    except FileNotFoundError:
        found = None
    except (OSError, ValueError):
        _log.warning('%s of %s cannot be read', key, node_id, exc_info=True)
        return Nothing(why=f'What {node_id} kept in {uri} cannot be read.')
    return Nothing(why=_OLDER) if found is None else found


def _not_reached(outcome: RunOutcome, node_id: str) -> str:
    ends = {'failed': 'failed', 'interrupted': 'was interrupted'}
    broken = next((node for node in outcome.nodes if node.state in ends), None)
    if broken is None:
        return f'The run ended before {node_id}.'
    told = f'{broken.id} {ends[broken.state]}.'
    return told if broken.id == node_id else f'The run ended before {node_id}: {told}'


def _not_recorded(outcome: RunOutcome) -> str:
    return f'ML Metadata has nothing of run {outcome.run_id}: the store was removed, or is another.'
