"""Shows what each node takes, and how that grows with the data."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks import machine, report
from benchmarks.bench import RunError, folder_bytes, json_of, say
from benchmarks.contenders import pipeline_command
from benchmarks.harness import measure
from benchmarks.scale import PUSH_ALWAYS

_EVALUATOR = 'Evaluator'


def run(
    factors: Sequence[float], archive: pathlib.Path, variants: Sequence[str], output: pathlib.Path
) -> dict[str, Any]:
    """Run the pipeline at each size in each variant, and measure node by node.

    Args:
        factors: Sizes against IMDB's.
        archive: The IMDB archive.
        variants: Presets; `PRESET+NAME=VALUE` is one with another setting.
        output: Written after each run, so that an end halfway loses none.

    Returns:
        What the file holds, as JSON values.
    """
    results = {**machine.describe(), 'runs': []}
    for factor in factors:
        with tempfile.TemporaryDirectory(prefix='nodes-') as folder:
            data = pathlib.Path(folder, 'data')
            make = [sys.executable, '-m', 'benchmarks.recombine', str(archive), str(data)]
            json_of(measure([*make, str(factor)], cwd=pathlib.Path(folder)))
            for variant in variants:
                say(f'{factor:g} times IMDB, {variant}')
                results['runs'].append(_run(factor, data, variant, pathlib.Path(folder, variant)))
                report.save(results, output)
    return results


def _run(
    factor: float, data: pathlib.Path, variant: str, folder: pathlib.Path
) -> dict[str, Any]:
    root = folder / 'runs'
    folder.mkdir()
    row: dict[str, Any] = {'factor': factor, 'variant': variant, 'error': None}
    # The same command as the other benchmarks'.
    preset, *settings = variant.split('+')
    _, _, *words = pipeline_command(data, root, preset)
    words += [*PUSH_ALWAYS, *(word for setting in settings for word in ('--set', setting))]
    try:
        nodes = _metered(words, folder)
        artifacts = root / 'artifacts' / 'sentiment'
        for name, node in nodes.items():
            node['output_bytes'] = folder_bytes(artifacts / name)
        # On a service it has a process of its own, and not what the Trainer leaves in memory.
        nodes[_EVALUATOR].update(_metered([*words, '--again', _EVALUATOR], folder)[_EVALUATOR])
        row['nodes'] = nodes
        row['input_bytes'] = folder_bytes(data)
        (summary,) = artifacts.glob('ExampleGen/examples/*/summary.json')
        splits = json.loads(summary.read_text(encoding='utf-8'))['splits']
        row['examples'] = {split: sum(labels) for split, labels in splits.items()}
    except RunError as err:
        row['error'] = str(err)
        say(f'       failed: {err}')
    return row


def _metered(words: Sequence[str], folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Run a command of the pipeline, and return what each node took."""
    meter = folder / 'nodes.json'
    command = [sys.executable, '-m', 'benchmarks.metered', str(meter), *words]
    json_of(measure(command, cwd=folder))
    nodes: dict[str, dict[str, float]] = json.loads(meter.read_text(encoding='utf-8'))
    say(f'       {sum(node["cpu_seconds"] for node in nodes.values()):.1f} CPU s')
    return nodes
