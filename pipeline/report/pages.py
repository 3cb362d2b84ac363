"""Writes the pages of runs, and shows them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import webbrowser
from collections.abc import Sequence

from components.common.errors import ConfigError, MissingDependencyError
from pipeline.process.logs import no_framework_noise
from pipeline.results.outcome import RunOutcome, load_outcome

_DEFAULT_ROOT = 'runs'
_MOST_RUNS = 6  # more curves than that cannot be told apart


def report_path(root: pathlib.Path, *run_ids: str) -> pathlib.Path:
    """Return where the page of a run, or of several side by side, is kept."""
    return root / 'reports' / f'{"-vs-".join(run_ids)}.html'


def write_report(outcome: RunOutcome, root: pathlib.Path, path: pathlib.Path | None = None) -> str:
    """Write the page of a run.

    Args:
        outcome: The record of the run.
        root: The folder for all that runs write.
        path: Where to; none: `report_path`.

    Returns:
        The path of the page.

    Raises:
        ConfigError: If it cannot be written there.
    """
    # Heavy enough to be imported by what makes a page, not by what opens one.
    from pipeline.report.collect import collect
    from pipeline.report.render import render

    page = render(collect(outcome, root))
    return _write(path or report_path(root, outcome.run_id), page)


def print_report(
    run_ids: Sequence[str], *, compare: bool, open_it: bool, output: str | None, root: str | None
) -> None:
    """Make a page unless it is there, print its path, and show it if asked to.

    Args:
        run_ids: The runs; none: the latest.
        compare: Set them side by side.
        open_it: Show the page in the browser.
        output: Where to write it, anew; none: below the root.
        root: The folder for all that runs write.

    Raises:
        ConfigError: If these options do not go together, or the page cannot be
            written.
        DataError: If there is no such run.
        MissingDependencyError: If there is no browser to show it in.
    """
    if compare and not 2 <= len(set(run_ids)) == len(run_ids) <= _MOST_RUNS:
        told = ' '.join(run_ids) or 'none'
        raise ConfigError(
            f'expected 2 to {_MOST_RUNS} different runs to compare, got {told}',
            hint='pipeline_runner.py runs lists them',
        )
    if not compare and len(run_ids) > 1:
        raise ConfigError(
            f'expected one run, got {len(run_ids)}', hint='--compare sets them side by side'
        )
    folder = pathlib.Path(os.path.abspath(root or _DEFAULT_ROOT))
    found = [load_outcome(folder, run_id) for run_id in (run_ids or (None,))]
    path = (
        pathlib.Path(os.path.abspath(output))
        if output
        else report_path(folder, *(outcome.run_id for outcome in found))
    )
    # The run has made its page when all of its artifacts were there; they may be gone.
    with no_framework_noise():
        if compare:
            _write(path, _comparison(found, folder))
        elif output or not path.is_file():
            write_report(found[0], folder, path)
    print(path)
    if open_it and not webbrowser.open(path.as_uri()):
        raise MissingDependencyError('no browser starts here', hint=f'open {path} yourself')


def _comparison(found: Sequence[RunOutcome], root: pathlib.Path) -> str:
    from pipeline.report.collect import collect
    from pipeline.report.render import render_comparison

    return render_comparison([collect(outcome, root) for outcome in found])


def _write(path: pathlib.Path, page: str) -> str:
    """Write a page; it appears as a whole."""
    part = path.with_name(f'{path.name}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(page, encoding='utf-8')
        os.replace(part, path)
    except OSError as err:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ConfigError(
            f'cannot write the report {path}: {err.strerror or err}',
            hint='name a file that can be written, with --output FILE',
        ) from err
    return str(path)
