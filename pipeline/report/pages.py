"""Writes the report pages of runs, and opens them."""

from __future__ import annotations

import os
import pathlib
import webbrowser
from collections.abc import Sequence

from components.common.atomic_write import atomic_write
from components.common.errors import ConfigError, MissingDependencyError
from pipeline.process.logs import no_framework_noise
from pipeline.results.outcome import RunOutcome, load_outcome

_MAX_RUNS = 6  # more curves in one chart cannot be distinguished


def report_path(root: pathlib.Path, *run_ids: str) -> pathlib.Path:
    """Return the default path of the page of a run, or of the comparison of several runs."""
    return root / 'reports' / f'{"-vs-".join(run_ids)}.html'


def write_report(outcome: RunOutcome, root: pathlib.Path, path: pathlib.Path | None = None) -> str:
    """Write the page of a run.

    Args:
        outcome: The record of the run.
        root: The folder of all runs.
        path: Path of the page; None for `report_path`.

    Returns:
        The path of the page.

    Raises:
        ConfigError: If the page cannot be written.

    Example:
        root = pathlib.Path('runs')
        print(write_report(load_outcome(root), root))
    """
    return _write_page([outcome], root, path or report_path(root, outcome.run_id))


def print_report(
    root: pathlib.Path, *, run_ids: Sequence[str], compare: bool, open_it: bool, output: str | None
) -> None:
    """Write a page unless it exists, print its path, and open it if requested.

    Args:
        root: The folder of all runs.
        run_ids: Ids of the runs; empty for the latest run.
        compare: Whether to compare the runs.
        open_it: Whether to open the page in the browser.
        output: Path of a new page; None for the default path.

    Raises:
        ConfigError: If the options are wrong, or the page cannot be written.
        DataError: If there is no such run.
        MissingDependencyError: If no browser starts.
    """
    if compare and not 2 <= len(set(run_ids)) == len(run_ids) <= _MAX_RUNS:
        given = ' '.join(run_ids) or 'none'
        raise ConfigError(
            f'expected 2 to {_MAX_RUNS} different runs to compare, got {given}',
            hint='pipeline_runner.py runs lists all runs',
        )
    if not compare and len(run_ids) > 1:
        raise ConfigError(
            f'expected one run, got {len(run_ids)}', hint='pass --compare to compare them'
        )
    found = [load_outcome(root, run_id) for run_id in (run_ids or (None,))]
    path = report_path(root, *(outcome.run_id for outcome in found))
    if output:
        path = pathlib.Path(os.path.abspath(output))
    # The page of a run was written when all its artifacts existed, so keep it.
    if compare or output or not path.is_file():
        with no_framework_noise():
            _write_page(found, root, path)
    print(path)
    if open_it and not webbrowser.open(path.as_uri()):
        raise MissingDependencyError('no browser could be started', hint=f'open {path} yourself')


def _write_page(outcomes: Sequence[RunOutcome], root: pathlib.Path, path: pathlib.Path) -> str:
    # Import these only if a page is written, because they are slow to import.
    from pipeline.report.collect import collect
    from pipeline.report.render import render, render_comparison

    reports = [collect(outcome, root) for outcome in outcomes]
    page = render_comparison(reports) if len(reports) > 1 else render(reports[0])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, page)
    except OSError as err:
        raise ConfigError(
            f'cannot write the report {path}: {err.strerror or err}',
            hint='pass a path that can be written, with --output FILE',
        ) from err
    return str(path)
