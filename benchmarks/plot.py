"""Draws time and memory over the size of the data, from `results/scale.json`."""

from __future__ import annotations

import pathlib
from typing import Any

from benchmarks.scale import MAX_PEAK_BYTES
from components.common.errors import DataError

_GIB = 1 << 30
# Quicker nodes are left out.
_SHOWN_SECONDS = 1.0


def draw(results: dict[str, Any], path: pathlib.Path) -> None:
    """Draw two logarithmic panels: seconds in total and by node, and peak memory.

    Raises:
        DataError: The results have no size.
    """
    rows = sorted(
        (row for row in results['sizes'] if not row['error']), key=lambda row: float(row['factor'])
    )
    if not rows:
        raise DataError('the results have no size', hint='run make bench-scale')
    import matplotlib as mpl

    mpl.use('svg')
    from matplotlib import pyplot as plt

    # The same results give the same file.
    mpl.rcParams['svg.hashsalt'] = 'scale'
    reviews = [row['reviews'] for row in rows]
    figure, (time, memory) = plt.subplots(1, 2, figsize=(10, 4.5), layout='constrained')
    wall = [row['wall_seconds'] for row in rows]
    time.plot(reviews, wall, 'ko-', linewidth=2, label='total')
    linear = [wall[-1] * count / reviews[-1] for count in reviews]
    time.plot(reviews, linear, 'k:', linewidth=1, label='linear')
    for node in rows[-1]['nodes']:
        seconds = [row['nodes'].get(node, 0.0) for row in rows]
        if max(seconds) >= _SHOWN_SECONDS:
            time.plot(reviews, seconds, '.-', linewidth=1, label=node)
    time.set(xscale='log', yscale='log', xlabel='reviews', ylabel='seconds', title='Time')
    time.legend(fontsize='small')
    memory.plot(reviews, [row['peak_bytes'] / _GIB for row in rows], 'ko-')
    memory.axhline(MAX_PEAK_BYTES / _GIB, color='red', linestyle=':', linewidth=1)
    memory.set(xscale='log', yscale='log', xlabel='reviews', ylabel='GiB', title='Peak memory')
    for panel in (time, memory):
        panel.grid(True, which='both', linewidth=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format='svg', metadata={'Date': None})
    plt.close(figure)
