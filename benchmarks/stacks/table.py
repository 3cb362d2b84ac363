"""Shows what two stacks make of the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report import RESULTS

STACKS_FILE = RESULTS / 'stacks.json'

_METRICS = {'binary_accuracy': 'accuracy', 'loss': 'loss', 'auc': 'AUC'}

# Of its model, when both stacks load it.
_SPREADS = {'probability': 'scores apart by', 'explanation': 'explanations apart by'}


def markdown(results: Mapping[str, Any]) -> str:
    """Return a row per preset and stack, with a line that says where they are from.

    Args:
        results: See `benchmarks.stacks.judging.judge`.
    """
    stacks = results['stacks']
    columns = ['preset', 'stack', *_METRICS.values(), *_SPREADS.values()]
    lines = [f'| {" | ".join(columns)} |', '|---|---|' + '---:|' * (len(columns) - 2)]
    for preset, row in results['presets'].items():
        for name in stacks:
            cells = [f'{row["metrics"][name][metric]:.5f}' for metric in _METRICS]
            model = row['models'][name]
            cells += [f'{model[what]:.1e}' for what in _SPREADS]
            lines.append(f'| {preset} | {title(stacks[name])} | {" | ".join(cells)} |')
    return '\n'.join([*lines, '', f'Measured {_provenance(results)}.'])


def title(facts: Mapping[str, Any]) -> str:
    """Name a stack by its versions."""
    versions = facts['versions']
    python = '.'.join(versions['python'].split('.')[:2])
    return (
        f'TFX {versions["tfx"]}, TensorFlow {versions["tensorflow"]}, '
        f'Keras {versions["keras"]}, Python {python}'
    )


def _provenance(results: Mapping[str, Any]) -> str:
    facts = list(results['stacks'].values())
    commits = [found['commit'] for found in facts if found['commit']]
    dates = [found['date'] for found in facts]
    return (
        f'{max(dates)}, commit {commits[0] if commits else "unknown"}, on '
        f'{facts[0]["data"]["name"]} with seed {facts[0]["seed"]}, {facts[0]["machine"]["cpu"]}'
    )
