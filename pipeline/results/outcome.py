"""The outcome of a run, which the terminal, `--json`, `runs` and the report show."""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pydantic

from components.common.atomic_write import atomic_write
from components.common.errors import DataError
from components.evaluator.metric_rows import MetricRow, metric_rows
from components.evaluator.metric_table import EXAMPLE_COUNT, Check, Ends, MetricChange
from pipeline.results.label_issues import LabelIssues
from pipeline.settings.config import PipelineConfig

NO_BASELINE = 'No baseline: no other model is served.'

State = Literal['executed', 'cached', 'skipped', 'failed', 'interrupted']
Verdict = Literal['pushed', 'not_blessed', 'failed', 'interrupted', 'withdrawn']


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeResult:
    """The result of one node.

    Attributes:
        id: Id of the node.
        state: `interrupted` if the run was stopped during the node, `skipped` if
            the run ended before it.
        seconds: Wall time.
        note: One line about what the node found or made.
    """

    id: str
    state: State
    seconds: float = 0.0
    note: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pushed:
    """A pushed version: its folder and its number."""

    path: str
    version: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """The rollback that withdrew the model of a run.

    Attributes:
        version: The withdrawn version of the model.
        at: Time of the rollback in UTC, as text.
    """

    version: str
    at: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """The outcome of a run, as plain values.

    Attributes:
        run_id: Id of the run, the local time at which it started.
        outcome: `interrupted` if the run was stopped from outside; `withdrawn` if
            the model was blessed but not pushed, because a rollback withdrew it.
        name: Name of the pipeline.
        data: Path of the data.
        spans: The spans that were read, as text; None if the data has none.
        nothing_new: Whether all nodes were cached, because data, settings and code
            are those of an earlier run.
        metrics: Metrics of the candidate on the test split, by name.
        intervals: Interval of each of these metrics, by name.
        slices: Metrics of the candidate by slice, then by name.
        slice_intervals: Intervals of the metrics of the slices, by slice, then by name.
        thresholds: Result of each bound of the gate.
        baseline: Metrics of the baseline, None without a baseline.
        changes: Change of each metric against the baseline; empty without a baseline.
        confidence: Level of all intervals, in (0, 1).
        judged_by: `interval` if the worse end of the interval has to meet each bound,
            `value` if the value itself has to.
        examples_needed: Number of texts of test that could show a drop of the accuracy
            of `gate.max_accuracy_drop`; None if test has enough of them.
        threshold: Decision threshold of the candidate: a text with a higher probability
            is predicted positive.
        baseline_threshold: The same of the baseline, None without a baseline.
        baseline_version: Pushed version that is the baseline, None if it is not known.
        nodes: Results of the nodes, in the order of the pipeline.
        pushed: The version that serves this model, None if there is none.
        withdrawn: The rollback that withdrew this model, None if there is none.
        seconds: Wall time of the run.
        log: Path of the log file.
        error: Why the run failed or was interrupted, None otherwise.
        config: The effective configuration.
        versions: Versions of the packages that the run depends on.
        report: Path of the report page, None if there is none.
        rejects: Pattern of the files with rejected rows, None if there are none.
        label_issues: Suspected label errors, None if no split was examined.
    """

    run_id: str
    outcome: Verdict
    name: str
    data: str
    spans: str | None = None
    nothing_new: bool = False
    metrics: dict[str, float | None] = dataclasses.field(default_factory=dict)
    intervals: dict[str, Ends] = dataclasses.field(default_factory=dict)
    slices: dict[str, dict[str, float | None]] = dataclasses.field(default_factory=dict)
    slice_intervals: dict[str, dict[str, Ends]] = dataclasses.field(default_factory=dict)
    thresholds: tuple[Check, ...] = ()
    baseline: dict[str, float | None] | None = None
    changes: dict[str, MetricChange] = dataclasses.field(default_factory=dict)
    confidence: float = 0.95
    judged_by: Literal['value', 'interval'] = 'value'
    examples_needed: int | None = None
    threshold: float = 0.5
    baseline_threshold: float | None = None
    baseline_version: str | None = None
    nodes: tuple[NodeResult, ...] = ()
    pushed: Pushed | None = None
    withdrawn: Withdrawn | None = None
    seconds: float = 0.0
    log: str = ''
    error: str | None = None
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    report: str | None = None
    rejects: str | None = None
    label_issues: LabelIssues | None = None

    def state_of(self, node_id: str) -> State | None:
        """Return the state of a node, None if there is no such node."""
        return next((node.state for node in self.nodes if node.id == node_id), None)

    def metric_rows(self) -> list[MetricRow]:
        """Return the metrics of this project, then those of the user."""
        return metric_rows(self, self.thresholds)

    def other_checks(self) -> list[Check]:
        """Return the results of the bounds that `metric_rows` does not contain, slices last."""
        names = {row.metric.name for row in self.metric_rows()}
        found = [c for c in self.thresholds if c.slice or c.metric not in names]
        return sorted(found, key=lambda check: bool(check.slice))

    def missed_checks(self) -> list[Check]:
        """Return the results of the bounds that are not met, each hint once."""
        missed: list[Check] = []
        for check in self.thresholds:
            if not check.passed:
                is_known = check.hint in {earlier.hint for earlier in missed}
                missed.append(dataclasses.replace(check, hint='') if is_known else check)
        return missed

    def examples_needed_line(self) -> str:
        """Return how many texts of test would show a drop of the accuracy; empty if it does."""
        drop = self.config.get('gate', {}).get('max_accuracy_drop')
        examples = self.metrics.get(EXAMPLE_COUNT)
        if self.examples_needed is None or drop is None or examples is None:
            return ''
        return (
            f'This test split has {examples:,.0f} texts; {self.examples_needed:,} would be '
            f'needed to show a drop of the accuracy of {drop:g}.'
        )

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return dataclasses.asdict(self)

    def withdrawn_lines(self) -> tuple[str, ...]:
        """Return lines that say why a blessed model was not pushed, and how to restore it."""
        if self.withdrawn is None:
            return ()
        version = self.withdrawn.version
        return (
            f'A rollback on {self.withdrawn.at} withdrew this model, which was version {version}. '
            'The live version stays live.',
            'To restore the model: ' + models_command(f'rollback {version}', self.config),
        )


_REMOVE_HINT = 'delete the file; no model or artifact depends on it'
_FORMAT = pydantic.TypeAdapter(RunOutcome)


def _warn(line: str) -> None:
    print(f'warning: {line}', file=sys.stderr)


def _describe_error(err: OSError | ValueError) -> str:
    if isinstance(err, pydantic.ValidationError):
        first = err.errors(include_url=False)[0]
        where = '.'.join(map(str, first['loc']))
        return f'is not a record of a run: {where and f"{where}: "}{first["msg"]}'
    return f'cannot be read: {getattr(err, "strerror", None) or err}'


def models_command(what: str, settings: Mapping[str, Any]) -> str:
    """Return a command line of the group `models`.

    Args:
        what: The command, as `rollback 17`.
        settings: `root`, `name` and `serving_dir`. Settings that are missing, None or
            the default are left out.

    >>> models_command('rollback 17', {'root': 'elsewhere', 'name': None})
    'python pipeline_runner.py models rollback 17 --root elsewhere'
    """
    options = {'--root': 'root', '--name': 'name', '--serving-dir': 'serving_dir'}
    given = [
        f'{option} {shlex.quote(settings[name])}'
        for option, name in options.items()
        if settings.get(name) not in (None, PipelineConfig.model_fields[name].default)
    ]
    return ' '.join(['python pipeline_runner.py models', what, *given])


def verdict_of(
    error: BaseException | None, *, pushed: Pushed | None, withdrawn: Withdrawn | None
) -> Verdict:
    """Return the verdict on a run; `error` is the exception that stopped it, if any."""
    if error is not None:
        return 'interrupted' if isinstance(error, KeyboardInterrupt) else 'failed'
    if withdrawn is not None:
        return 'withdrawn'
    return 'pushed' if pushed is not None else 'not_blessed'


def records_dir(root: pathlib.Path) -> pathlib.Path:
    """Return the folder of the records of runs below `root`."""
    return root / 'records'


def save_record(outcome: RunOutcome, root: pathlib.Path) -> None:
    """Save the outcome of a run below `root`, atomically.

    Raises:
        OSError: If it cannot be written, for example because the disk is full.
    """
    folder = records_dir(root)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{outcome.run_id}.json'
    atomic_write(path, json.dumps(outcome.to_json(), indent=2) + '\n')


def load_records(root: pathlib.Path, on_damaged: Callable[[str], None] = _warn) -> list[RunOutcome]:
    """Load the outcomes of all runs below `root`, oldest first.

    Args:
        root: The folder of all runs.
        on_damaged: Called with a message for each record that cannot be read; the
            record is left out.
    """
    records = []
    for path in sorted(records_dir(root).glob('*.json')):
        try:
            records.append(_FORMAT.validate_json(path.read_bytes()))
        except (OSError, ValueError) as err:
            on_damaged(f'{path} {_describe_error(err)}; {_REMOVE_HINT}')
    return records


def load_outcome(root: pathlib.Path, run_id: str | None = None) -> RunOutcome:
    """Load the outcome of a run below `root`.

    Args:
        root: The folder of all runs.
        run_id: Id of the run; None for the latest run.

    Returns:
        The outcome. Fields that an older run did not record have their defaults.

    Raises:
        DataError: If there is no such run, or its record cannot be read.

    Example:
        outcome = load_outcome(pathlib.Path('runs'))
        print(outcome.outcome, outcome.metrics['auc'])
    """
    folder = records_dir(root)
    known = sorted((path.stem for path in folder.glob('*.json')), reverse=True)
    if not known:
        raise DataError(f'no run below {root}', hint='start a run, or pass its --root')
    if run_id is not None and run_id not in known:
        close = difflib.get_close_matches(run_id, known, n=1) or known[:1]
        raise DataError(f'no run {run_id!r} below {root}', hint=f'did you mean {close[0]}?')
    path = folder / f'{run_id or known[0]}.json'
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except (OSError, ValueError) as err:
        raise DataError(f'{path} {_describe_error(err)}', hint=_REMOVE_HINT) from err
