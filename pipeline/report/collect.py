"""Collects the content of a report from the record of a run, ML Metadata and artifacts."""

from __future__ import annotations

import functools
import logging
import pathlib
from collections.abc import Callable
from typing import TypeVar

from components.common.errors import ReviewsError
from components.common.model_versions import restored_by
from components.evaluator.score_details import read_score_details
from components.example_gen.summary import SUMMARY_FILE, ExamplesSummary
from components.label_issues.table import IssueSummary, merge_summaries, read_summary
from components.served_baseline.baseline import ServedVersion, read_baseline
from components.statistics_gen.text_statistics import (
    TextStatistics,
    divergence,
    read_text_statistics,
)
from components.trainer.history import read_history
from components.trainer.threshold import (
    TUNED_THRESHOLD_FILE,
    TunedThreshold,
    parse_tuned_threshold,
)
from pipeline.report.feature_table import read_feature_rows
from pipeline.report.lineage import Lineage
from pipeline.report.view import BaselineData, Data, FeatureRow, Missing, RecordedNode, Report
from pipeline.results.outcome import NO_BASELINE, RunOutcome, load_records
from pipeline.store.choice import backend_of_run

_log = logging.getLogger(__name__)

_NOT_STORED = 'This run did not store these figures: an older version made it.'

Found = TypeVar('Found')
_Nodes = dict[str, RecordedNode]


def collect(outcome: RunOutcome, root: pathlib.Path) -> Report:
    """Collect the content of the report of a run.

    Args:
        outcome: The record of the run.
        root: The folder of all runs.

    Returns:
        The content; `Missing` replaces missing parts.

    Example:
        root = pathlib.Path('runs')
        html = render(collect(load_outcome(root), root))
    """
    lineage, problem = _open_lineage(outcome, root)
    nodes = lineage.nodes(outcome.run_id) if lineage else {}
    read = functools.partial(_read, outcome, nodes)
    summary = read('ExampleGen', 'examples', _read_examples_summary)
    described = read('StatisticsGen', 'statistics', read_text_statistics)
    tuned = read('Trainer', 'model_run', _read_tuned_threshold)
    return Report(
        outcome=outcome,
        labels=('negative', 'positive') if isinstance(summary, Missing) else summary.labels,
        history=read('Trainer', 'model_run', read_history),
        scores=read('Evaluator', 'evaluation', read_score_details),
        label_issues=_label_issues(
            read('Trainer', 'model_run', read_summary),
            read('Evaluator', 'evaluation', read_summary),
        ),
        data=described
        if isinstance(described, Missing)
        else Data(
            described=described,
            rejected=None if isinstance(summary, Missing) else summary.rejected,
            dropped={} if isinstance(summary, Missing) else summary.dropped,
            anomalies=_anomalies(outcome),
            baseline=_baseline_data(outcome, nodes, lineage, described, root),
            features=_feature_rows(nodes, described),
        ),
        nodes=nodes,
        lineage=None if nodes else Missing(reason=problem or _not_recorded(outcome)),
        tuned=None if isinstance(tuned, Missing) else tuned,
    )


def _open_lineage(outcome: RunOutcome, root: pathlib.Path) -> tuple[Lineage | None, str]:
    """Open the store of a run; return a problem as text if that fails."""
    try:
        config = backend_of_run(outcome.config, root).reader()
        return (Lineage(config) if config else None), ''
    except ReviewsError as err:  # a page without lineage is better than none
        _log.warning('ML Metadata cannot be read', exc_info=True)
        return None, f'ML Metadata cannot be read: {err}.'


def _label_issues(*found: IssueSummary | Missing) -> IssueSummary | Missing:
    """Merge the summaries of the nodes; a node may have none."""
    summaries = [each for each in found if not isinstance(each, Missing)]
    return merge_summaries(summaries) if summaries else found[-1]


def _read_examples_summary(uri: str) -> ExamplesSummary:
    return ExamplesSummary.parse(pathlib.Path(uri, SUMMARY_FILE).read_text(encoding='utf-8'))


def _read_tuned_threshold(uri: str) -> TunedThreshold:
    return parse_tuned_threshold(pathlib.Path(uri, TUNED_THRESHOLD_FILE).read_bytes())


def _feature_rows(nodes: _Nodes, described: TextStatistics) -> tuple[FeatureRow, ...]:
    splits = [split.name for split in described.splits]
    try:
        return read_feature_rows(nodes['StatisticsGen'].uri('statistics') or '', splits)
    except (OSError, ValueError):
        _log.warning('the statistics of the features cannot be read', exc_info=True)
        return ()


def _anomalies(outcome: RunOutcome) -> str | None:
    state = outcome.state_of('ExampleValidator')
    if state in ('executed', 'cached'):
        # An anomaly fails the node.
        return 'All splits match the schema.'
    return outcome.error if state == 'failed' else None


def _baseline_data(
    outcome: RunOutcome,
    nodes: _Nodes,
    lineage: Lineage | None,
    described: TextStatistics,
    root: pathlib.Path,
) -> BaselineData | Missing:
    # None stands for a file that an older version did not write; there may be no baseline.
    found = _read(outcome, nodes, 'ServedBaseline', 'model', lambda uri: (uri, read_baseline(uri)))
    if isinstance(found, Missing):
        return found
    uri, served = found
    if served is None:
        return Missing(reason=NO_BASELINE)
    pushing = _run_that_pushed(served, uri, outcome.name, root)
    if pushing is None or lineage is None:
        return Missing(reason='No recorded run pushed the baseline.')
    theirs = _read(
        pushing,
        lineage.nodes(pushing.run_id),
        'StatisticsGen',
        'statistics',
        read_text_statistics,
    )
    if isinstance(theirs, Missing):
        return theirs
    return BaselineData(
        run_id=pushing.run_id,
        divergence=divergence(described.fingerprint_words, theirs.fingerprint_words),
    )


def _run_that_pushed(
    served: ServedVersion, baseline_uri: str, name: str, root: pathlib.Path
) -> RunOutcome | None:
    """Return the run that pushed a version; a rollback's version is a copy of a pushed one."""
    restored = restored_by(str(pathlib.Path(baseline_uri, 'Format-Serving')))
    version = restored.version if restored else served.version
    for record in load_records(root, lambda line: None):
        if record.pushed and record.pushed.version == version and record.name == name:
            return record
    return None


def _read(
    outcome: RunOutcome,
    nodes: _Nodes,
    node_id: str,
    key: str,
    read: Callable[[str], Found | None],
) -> Found | Missing:
    """Read an output; `read` returns None if an older version did not write it."""
    if outcome.state_of(node_id) not in ('executed', 'cached'):
        return Missing(reason=_not_reached(outcome, node_id))
    uri = nodes[node_id].uri(key) if node_id in nodes else None
    if uri is None:
        return Missing(reason=_not_recorded(outcome))
    if not pathlib.Path(uri).is_dir():
        return Missing(reason=f'The folder of the artifact is missing: {uri}.')
    try:
        found = read(uri)
    except FileNotFoundError:
        found = None
    except (OSError, ValueError, KeyError):
        _log.warning('%s of %s cannot be read', key, node_id, exc_info=True)
        return Missing(reason=f'The output {key} of {node_id} in {uri} cannot be read.')
    return Missing(reason=_NOT_STORED) if found is None else found


def _not_reached(outcome: RunOutcome, node_id: str) -> str:
    ends = {'failed': 'failed', 'interrupted': 'was interrupted'}
    broken = next((node for node in outcome.nodes if node.state in ends), None)
    if broken is None:
        return f'The run ended before {node_id}.'
    reason = f'{broken.id} {ends[broken.state]}.'
    return reason if broken.id == node_id else f'The run ended before {node_id}: {reason}'


def _not_recorded(outcome: RunOutcome) -> str:
    return f'ML Metadata does not have run {outcome.run_id}. The store was deleted or replaced.'
