"""Measures CPU time, memory and output of each node at several sizes."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import machine, report
from benchmarks.bench import RunError, folder_bytes, json_of, say
from benchmarks.contenders import pipeline_command
from benchmarks.harness import measure
from benchmarks.scale import PUSH_ALWAYS

_EVALUATOR = 'Evaluator'
_COLUMNS = ('of IMDB', 'variant', 'node', 'CPU, s', 'peak, GiB', 'output, MB')


def run(
    factors: Sequence[float],
    archive: pathlib.Path,
    variants: Sequence[str],
    output: pathlib.Path | None,
) -> dict[str, Any]:
    """Run the pipeline at each size in each variant, and measure each node.

    Args:
        factors: Sizes relative to IMDB.
        archive: The IMDB archive.
        variants: Presets; `PRESET+NAME=VALUE` changes a setting.
        output: File to write after each run, or None.

    Returns:
        The results as JSON values.
    """
    results = {**machine.describe(), 'runs': []}
    for factor in factors:
        with tempfile.TemporaryDirectory(prefix='nodes-') as folder:
            data = pathlib.Path(folder, 'data')
            make = [sys.executable, '-m', 'benchmarks.recombine', str(archive), str(data)]
            made = measure([*make, str(factor)], cwd=pathlib.Path(folder))
            for variant in variants:
                say(f'{factor:g} times IMDB, {variant}')
                row: dict[str, Any] = {'factor': factor, 'variant': variant, 'error': None}
                try:
                    json_of(made)
                    row.update(_run(data, variant, pathlib.Path(folder, variant)))
                except RunError as err:
                    row['error'] = str(err)
                    say(f'       failed: {err}')
                results['runs'].append(row)
                if output is not None:
                    report.save(results, output)
    return results


def runs_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table of the figures of each node."""
    rows = []
    for run in results['runs']:
        start = [f'{run["factor"]:g}', run['variant']]
        if run['error']:
            rows.append([*start, f'failed: {run["error"]}', '', '', ''])
        for node, usage in run.get('nodes', {}).items():
            figures = (
                f'{usage["cpu_seconds"]:.1f}',
                f'{usage["peak_bytes"] / (1 << 30):.2f}',
                f'{usage["output_bytes"] / 1e6:,.1f}',
            )
            rows.append([*start, node, *figures])
    return report.markdown_table(_COLUMNS, rows, left=3)


def _run(data: pathlib.Path, variant: str, folder: pathlib.Path) -> dict[str, Any]:
    root = folder / 'runs'
    folder.mkdir()
    preset, *settings = variant.split('+')
    _, _, *words = pipeline_command(data, root, preset)
    words += [*PUSH_ALWAYS, *(word for setting in settings for word in ('--set', setting))]
    nodes = _metered(words, folder)
    artifacts = root / 'artifacts' / 'sentiment'
    for name, node in nodes.items():
        node['output_bytes'] = folder_bytes(artifacts / name)
    # Measured again in a process of its own, without the memory that the Trainer leaves.
    nodes[_EVALUATOR].update(_metered([*words, '--again', _EVALUATOR], folder)[_EVALUATOR])
    (summary,) = artifacts.glob('ExampleGen/examples/*/summary.json')
    splits = json.loads(summary.read_text(encoding='utf-8'))['splits']
    return {
        'nodes': nodes,
        'input_bytes': folder_bytes(data),
        'examples': {split: sum(labels) for split, labels in splits.items()},
    }


def _metered(words: Sequence[str], folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Run a command of the pipeline, and return the figures of each node."""
    meter = folder / 'nodes.json'
    command = [sys.executable, '-m', 'benchmarks.metered', str(meter), *words]
    json_of(measure(command, cwd=folder))
    nodes: dict[str, dict[str, float]] = json.loads(meter.read_text(encoding='utf-8'))
    say(f'       {sum(node["cpu_seconds"] for node in nodes.values()):.1f} CPU s')
    return nodes
