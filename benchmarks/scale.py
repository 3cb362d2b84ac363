"""Measures how time and memory grow with the data."""

from __future__ import annotations

import math
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks import machine
from benchmarks.contenders import pipeline_command
from benchmarks.harness import Measured, RunError, measure, say

# From the first to the second size, time may grow by this much more than the data.
FROM_FACTOR, TO_FACTOR = 1.0, 8.0
_SLACK = 1.1
MAX_PEAK_BYTES = 8 << 30

# A model trained on a small part of IMDB may not pass the default gate.
PUSH_ALWAYS = ('--set', 'gate.min_accuracy=0.01')


def run(
    factors: Iterable[float],
    archive: pathlib.Path,
    preset: str,
    save: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Run the pipeline at each size.

    Args:
        factors: Sizes relative to IMDB, in the order of the runs.
        archive: The IMDB archive.
        preset: Preset of the pipeline.
        save: Called with the results after each size.

    Returns:
        The results as JSON values.
    """
    results = {**machine.describe(), 'preset': preset, 'sizes': []}
    for factor in factors:
        say(f'{factor:g} times IMDB')
        results['sizes'].append(_run_size(factor, archive, preset))
        results.update(verdict(results['sizes']))
        save(results)
    return results


def make_data(archive: pathlib.Path, folder: pathlib.Path, factor: float) -> Measured:
    """Write a smaller or larger IMDB to a folder, in a process of its own."""
    command = [sys.executable, '-m', 'benchmarks.recombine', str(archive), str(folder)]
    return measure([*command, str(factor)], cwd=folder.parent)


def _run_size(factor: float, archive: pathlib.Path, preset: str) -> dict[str, Any]:
    row: dict[str, Any] = {'factor': factor, 'error': None}
    with tempfile.TemporaryDirectory(prefix='scale-') as name:
        folder = pathlib.Path(name)
        try:
            row['reviews'] = sum(make_data(archive, folder / 'data', factor).json().values())
            say(f'       {row["reviews"]:,} reviews')
            command = pipeline_command(folder / 'data', folder / 'runs', preset)
            done = measure([*command, *PUSH_ALWAYS], cwd=folder)
            row.update(done.usage)
            outcome = done.json()
            row['nodes'] = {node['id']: node['seconds'] for node in outcome['nodes']}
            row['accuracy'] = outcome['metrics'].get('binary_accuracy')
            say(f'       {done.wall_seconds:.1f} s, {done.peak_bytes / (1 << 30):.2f} GiB')
        except RunError as err:
            row['error'] = str(err)
            say(f'       failed: {err}')
    return row


def verdict(sizes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Check that time and memory stay within their limits.

    Args:
        sizes: Rows with `factor`, `error`, `wall_seconds` and `peak_bytes`.

    Returns:
        `exponent`, the slope of log(wall) over log(size) from 1 to 8 times IMDB
        (None if one of the two is missing), and `violations`, a line for each limit
        that is exceeded.

    >>> verdict([{'factor': 1, 'error': None, 'wall_seconds': 60, 'peak_bytes': 1},
    ...          {'factor': 8, 'error': None, 'wall_seconds': 240, 'peak_bytes': 1}])['violations']
    []
    """
    violations = [
        f'{row["factor"]:g} times IMDB failed: {row["error"]}' for row in sizes if row['error']
    ]
    by_factor = {row['factor']: row for row in sizes if not row['error']}
    small, large = by_factor.get(FROM_FACTOR), by_factor.get(TO_FACTOR)
    exponent = None
    if small and large:
        growth = large['wall_seconds'] / small['wall_seconds']
        exponent = math.log(growth) / math.log(TO_FACTOR / FROM_FACTOR)
        limit = TO_FACTOR / FROM_FACTOR * _SLACK
        if growth > limit:
            violations.append(
                f'from {FROM_FACTOR:g} to {TO_FACTOR:g} times IMDB the time grew by'
                f' {growth:.2f}, expected at most {limit:.2f}'
            )
    if large and large['peak_bytes'] >= MAX_PEAK_BYTES:
        violations.append(
            f'at {TO_FACTOR:g} times IMDB the peak was {large["peak_bytes"] / (1 << 30):.2f} GiB,'
            f' expected less than {MAX_PEAK_BYTES >> 30}'
        )
    return {'exponent': exponent, 'violations': violations}
