"""Starts runs on the sample data by the command line."""

from __future__ import annotations

import pathlib

from tests.conftest import SAMPLE, Finished, run_command


def run_sample(*args: str, cwd: pathlib.Path, repo: pathlib.Path) -> Finished:
    """Run the pipeline on the sample data."""
    return run_command('run', '--data', str(SAMPLE), *args, cwd=cwd, repo=repo)
