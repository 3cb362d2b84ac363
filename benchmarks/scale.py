"""Measures how time and memory grow with the data."""

from __future__ import annotations

import math
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks import machine, report
from benchmarks.bench import RunError, json_of, say
from benchmarks.contenders import pipeline_command
from benchmarks.harness import measure

# From the first to the second size, time may grow by this much more than the data.
FROM_FACTOR, TO_FACTOR = 1.0, 8.0
_SLACK = 1.1
MAX_PEAK_BYTES = 8 << 30

# A model trained on a small part of IMDB may not pass the default gate.
PUSH_ALWAYS = ('--set', 'gate.min_accuracy=0.01')


def run(
    factors: Sequence[float], archive: pathlib.Path, preset: str, output: pathlib.Path | None
) -> dict[str, Any]:
    """Run the pipeline at each size.

    Args:
        factors: Sizes relative to IMDB, in the order of the runs.
        archive: The IMDB archive.
        preset: Preset of the pipeline.
        output: File to write after each size, or None.

    Returns:
        The results as JSON values.
    """
    results = {**machine.describe(), 'preset': preset, 'sizes': []}
    for factor in factors:
        say(f'{factor:g} times IMDB')
        results['sizes'].append(_run_size(factor, archive, preset))
        results.update(verdict(results['sizes']))
        if output is not None:
            report.save(results, output)
    return results


def _run_size(factor: float, archive: pathlib.Path, preset: str) -> dict[str, Any]:
    row: dict[str, Any] = {'factor': factor, 'error': None}
    with tempfile.TemporaryDirectory(prefix='scale-') as folder:
        data = pathlib.Path(folder, 'data')
        make = [sys.executable, '-m', 'benchmarks.recombine', str(archive), str(data)]
        try:
            made = measure([*make, str(factor)], cwd=pathlib.Path(folder))
            row['data'] = json_of(made)
            row['reviews'] = sum(split['reviews'] for split in row['data'].values())
            say(f'       {row["reviews"]:,} reviews, made in {made.usage.wall_seconds:.0f} s')
            root = pathlib.Path(folder, 'runs')
            command = [*pipeline_command(data, root, preset), *PUSH_ALWAYS]
            done = measure(command, cwd=pathlib.Path(folder))
            row.update(vars(done.usage))
            outcome = json_of(done)
            row['nodes'] = {node['id']: node['seconds'] for node in outcome['nodes']}
            row['accuracy'] = outcome['metrics'].get('binary_accuracy')
            gib = done.usage.peak_bytes / (1 << 30)
            say(f'       {done.usage.wall_seconds:.1f} s, {gib:.2f} GiB')
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
