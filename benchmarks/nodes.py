"""Measures CPU time, memory and output of each node at several sizes."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks import machine
from benchmarks.contenders import pipeline_command
from benchmarks.harness import RunError, folder_bytes, measure, say
from benchmarks.scale import PUSH_ALWAYS, make_data

VARIANTS = (
    'ngram',
    'ngram+trainer.model.max_ngram=2',
    'ngram+trainer.model.min_ngram_documents=8',
    'tutorial',
    'tutorial+trainer.model.input=stream',
)
_EVALUATOR = 'Evaluator'


def run(
    factors: Iterable[float],
    archive: pathlib.Path,
    variants: Sequence[str],
    save: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Run the pipeline at each size in each variant, and measure each node.

    Args:
        factors: Sizes relative to IMDB.
        archive: The IMDB archive.
        variants: Presets; `PRESET+NAME=VALUE` changes a setting.
        save: Called with the results after each run.

    Returns:
        The results as JSON values.
    """
    results = {**machine.describe(), 'runs': []}
    for factor in factors:
        with tempfile.TemporaryDirectory(prefix='nodes-') as name:
            folder = pathlib.Path(name)
            made = make_data(archive, folder / 'data', factor)
            for variant in variants:
                say(f'{factor:g} times IMDB, {variant}')
                row: dict[str, Any] = {'factor': factor, 'variant': variant, 'error': None}
                try:
                    made.json()
                    row.update(_run(folder / 'data', variant, folder / variant))
                except RunError as err:
                    row['error'] = str(err)
                    say(f'       failed: {err}')
                results['runs'].append(row)
                save(results)
    return results


def _run(data: pathlib.Path, variant: str, folder: pathlib.Path) -> dict[str, Any]:
    root = folder / 'runs'
    folder.mkdir()
    preset, *settings = variant.split('+')
    _, _, *arguments = pipeline_command(data, root, preset)
    # The nodes are measured one after the other, in one process.
    arguments += ['--set', 'concurrent_nodes=1', *PUSH_ALWAYS]
    arguments += [part for setting in settings for part in ('--set', setting)]
    nodes = _measure_nodes(arguments, folder)
    artifacts = root / 'artifacts' / 'sentiment'
    for name, node in nodes.items():
        node['output_bytes'] = folder_bytes(artifacts / name)
    # Measured again in a process of its own, without the memory that the Trainer leaves.
    again = _measure_nodes([*arguments, '--again', _EVALUATOR], folder)
    nodes[_EVALUATOR].update(again[_EVALUATOR])
    (summary,) = artifacts.glob('ExampleGen/examples/*/summary.json')
    splits = json.loads(summary.read_text(encoding='utf-8'))['splits']
    return {
        'nodes': nodes,
        'input_bytes': folder_bytes(data),
        'examples': {split: sum(labels) for split, labels in splits.items()},
    }


def _measure_nodes(arguments: Sequence[str], folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Run a command of the pipeline, and return the figures of each node."""
    usage = folder / 'nodes.json'
    command = [sys.executable, '-m', 'benchmarks.node_usage', str(usage), *arguments]
    measure(command, cwd=folder).json()
    nodes: dict[str, dict[str, float]] = json.loads(usage.read_text(encoding='utf-8'))
    say(f'       {sum(node["cpu_seconds"] for node in nodes.values()):.1f} CPU s')
    return nodes
