"""What came of a run: the facts that the terminal, `--json` and `runs` show."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any, Literal

import pydantic

from components.common.errors import DataError

# The name of a check of the model that is compared with, not of the one that is judged.
BASELINE_AUC = 'baseline_auc'

State = Literal['executed', 'cached', 'skipped', 'failed', 'interrupted']
Verdict = Literal['pushed', 'not_blessed', 'failed', 'interrupted', 'withdrawn']


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeResult:
    """How one node went.

    Attributes:
        id: The node's id in the pipeline.
        state: `executed`, `cached`, `failed`, `interrupted` if the run was
            stopped meanwhile, or `skipped` if never reached.
        seconds: Wall time.
        note: The thing worth knowing about it, one line.
    """

    id: str
    state: State
    seconds: float = 0.0
    note: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """A bound that the gate holds a metric against.

    Attributes:
        metric: Name of the metric.
        slice: Empty for all of test, else as `length=11-50`.
        value: What was measured, None if it is missing.
        bound: The bound as text, as `>= 0.8000`.
        passed: Whether it holds.
        hint: What to do where it does not, one sentence, or an empty string.
    """

    metric: str
    slice: str
    value: float | None
    bound: str
    passed: bool
    hint: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pushed:
    """A pushed version: its folder and its name."""

    path: str
    version: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """That a rollback withdrew the model of a run, so that it was not pushed again.

    Attributes:
        version: The version that had served it.
        at: When it was withdrawn, in UTC, as text.
    """

    version: str
    at: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """Everything that is told of a run, as plain values.

    Attributes:
        run_id: Its name, the local time at which it began.
        outcome: `pushed`, `not_blessed`, `failed`, `interrupted` if it was stopped
            from outside, or `withdrawn`: blessed, but not pushed, as a rollback
            has withdrawn this very model.
        name: Of the pipeline.
        data: Path of the data.
        spans: The spans that were read, in words; None if the data has none.
        nothing_new: Whether every node took what an earlier run had made, as
            data, settings and code are those of that run.
        metrics: Of the candidate on test, by name.
        slices: By slice, the same.
        thresholds: What the gate demanded.
        baseline: Metrics of the blessed model compared with, None if none.
        nodes: In the order of the pipeline.
        pushed: The version that serves this model, None if there is none.
        withdrawn: Which rollback keeps the model back, None if none does.
        seconds: Wall time of the whole run.
        log: Path of the log file.
        error: What failed, or what is known of the interruption; None if nothing.
        config: The effective configuration.
        versions: Of the packages that determine what comes of a run, by name.
        report: Path of the page that shows all this, None if there is none.
        rejects: Pattern of the files with the rows that could not be used, with
            reason and line; None if all could.
    """

    run_id: str
    outcome: Verdict
    name: str
    data: str
    spans: str | None = None
    nothing_new: bool = False
    metrics: dict[str, float | None] = dataclasses.field(default_factory=dict)
    slices: dict[str, dict[str, float | None]] = dataclasses.field(default_factory=dict)
    thresholds: tuple[Check, ...] = ()
    baseline: dict[str, float | None] | None = None
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

    def state_of(self, node_id: str) -> State | None:
        """Return how a node went, None if there is no such node."""
        return next((node.state for node in self.nodes if node.id == node_id), None)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return dataclasses.asdict(self)


_FORMAT = pydantic.TypeAdapter(RunOutcome)


def _warn(line: str) -> None:
    print(f'warning: {line}', file=sys.stderr)


def _reason(err: OSError | ValueError) -> str:
    if isinstance(err, pydantic.ValidationError):
        first = err.errors(include_url=False)[0]
        where = '.'.join(map(str, first['loc']))
        return f'is no record of a run: {where and f"{where}: "}{first["msg"]}'
    return f'cannot be read: {getattr(err, "strerror", None) or err}'


def verdict_of(
    error: BaseException | None, *, pushed: Pushed | None, withdrawn: Withdrawn | None
) -> Verdict:
    """Return the outcome of a run that these came of; `error` is what stopped it, if anything."""
    if error is not None:
        return 'interrupted' if isinstance(error, KeyboardInterrupt) else 'failed'
    if withdrawn is not None:
        return 'withdrawn'
    return 'pushed' if pushed is not None else 'not_blessed'


def records_dir(root: pathlib.Path) -> pathlib.Path:
    """Return where the records of runs below `root` are kept."""
    return root / 'records'


def save_record(outcome: RunOutcome, root: pathlib.Path) -> None:
    """Keep the outcome of a run below `root`; it appears as a whole.

    Raises:
        OSError: If it cannot be written, on a full disk for instance.
    """
    folder = records_dir(root)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{outcome.run_id}.json'
    part = path.with_suffix('.part')
    try:
        part.write_text(json.dumps(outcome.to_json(), indent=2) + '\n', encoding='utf-8')
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_records(
    root: pathlib.Path, on_damaged: Callable[[str], None] = _warn
) -> list[dict[str, Any]]:
    """Load the outcomes of all runs below `root`, oldest first, as JSON values.

    Args:
        root: The folder for all that runs write.
        on_damaged: Is given a line for each record that cannot be read; such a
            record is left out.
    """
    records = []
    for path in sorted(records_dir(root).glob('*.json')):
        try:
            content = path.read_bytes()
            _FORMAT.validate_json(content)
            records.append(json.loads(content))
        except (OSError, ValueError) as err:
            on_damaged(f'{path} {_reason(err)}; remove it: it only tells of a run')
    return records


def load_outcome(root: pathlib.Path, run_id: str | None = None) -> RunOutcome:
    """Load the outcome of a run below `root`.

    Args:
        root: The folder for all that runs write.
        run_id: The run; the latest one if None.

    Returns:
        The outcome. What an older run did not record has its default.

    Raises:
        DataError: If there is no such run, or its record cannot be read.
    """
    folder = records_dir(root)
    known = sorted((path.stem for path in folder.glob('*.json')), reverse=True)
    if not known:
        raise DataError(f'no run below {root}', hint='run one, or name its --root')
    if run_id is not None and run_id not in known:
        close = difflib.get_close_matches(run_id, known, n=1) or known[:1]
        raise DataError(f'no run {run_id!r} below {root}', hint=f'did you mean {close[0]}?')
    path = folder / f'{run_id or known[0]}.json'
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except (OSError, ValueError) as err:
        raise DataError(
            f'{path} {_reason(err)}', hint='remove it: it only tells of a run'
        ) from err
