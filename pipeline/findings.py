"""Reads from a node's artifacts the thing worth knowing about it."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator import constants
from tfx.types import Artifact
from tfx.utils import path_utils

from components import features
from components.errors import ComponentError
from components.evaluator.config import ACCURACY, EXAMPLE_COUNT, lowest_accuracy
from components.example_gen.summary import SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import WITHDRAWN_AT_PROPERTY, WITHDRAWN_VERSION_PROPERTY
from components.settings import GateSettings
from components.trainer.history import read_history
from pipeline.outcome import Check, Pushed, Withdrawn

Artifacts = Mapping[str, Sequence[Artifact]]
_CANDIDATE = ('', 'candidate')
_BASELINE = 'baseline'


class Evaluation:
    """What the Evaluator found: metrics by model and slice, and its verdict.

    Args:
        outputs: The Evaluator's.
        gate: The bounds it was given.
    """

    def __init__(self, outputs: Artifacts, gate: GateSettings) -> None:
        uri = _only(outputs, 'evaluation').uri
        blessing = _only(outputs, 'blessing')
        self._gate = gate
        self.blessed: bool = (
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            == constants.BLESSED_VALUE
        )
        self.slices: dict[str, dict[str, float | None]] = {}
        self.baseline: dict[str, float | None] | None = None
        for record in tfma.load_metrics(uri):
            self._add(record)
        self.metrics = self.slices.pop('', {})

    def _add(self, record: Any) -> None:
        where = ', '.join(
            f'{key.column}={key.bytes_value.decode()}' for key in record.slice_key.single_slice_keys
        )
        for item in record.metric_keys_and_values:
            if item.key.is_diff:
                continue
            value = _number(item.value)
            if item.key.model_name in _CANDIDATE:
                self.slices.setdefault(where, {})[item.key.name] = value
            elif item.key.model_name == _BASELINE and not where:
                self.baseline = {**(self.baseline or {}), item.key.name: value}

    def checks(self) -> tuple[Check, ...]:
        """Return each bound with what was measured."""
        accuracy = self.metrics.get(ACCURACY)
        found = [_at_least(accuracy, self._gate.min_accuracy, '')]
        if self.baseline is not None:
            base = self.baseline.get(ACCURACY)
            lowest = math.nan if base is None else lowest_accuracy(base, self._gate)
            found.append(_at_least(accuracy, lowest, '', ' (baseline)'))
        for name, bound in sorted(self._gate.slices.items()):
            where = f'{features.LENGTH_KEY}={name}'
            found.append(_at_least(self.slices.get(where, {}).get(ACCURACY), bound, where))
        return tuple(found)

    def require_examples(self, expected: int) -> None:
        """Check that all of test was evaluated.

        Raises:
            ComponentError: If not.
        """
        count = self.metrics.get(EXAMPLE_COUNT)
        if count != expected:
            raise ComponentError(
                f'ExampleGen wrote {expected:,} test examples, the Evaluator saw {count}',
                hint='see the log; a run that loses examples is not to be trusted',
            )


def _at_least(value: float | None, bound: float, where: str, source: str = '') -> Check:
    # A comparison with NaN, on either side, is false: not passed.
    passed = value is not None and value >= bound
    return Check(
        metric=ACCURACY, slice=where, value=value, bound=f'>= {bound:.4f}{source}', passed=passed
    )


def _number(value: Any) -> float | None:
    """Return a metric's value; None for NaN, which JSON lacks, and for no number."""
    kind = value.WhichOneof('type')
    number = value.double_value.value if kind == 'double_value' else None
    return None if number is None or math.isnan(number) else float(number)


def describe(node_id: str, outputs: Artifacts) -> str:
    """Say in one line what a node that succeeded found or made."""
    teller = _TELLERS.get(node_id)
    return teller(outputs) if teller else ''


def example_counts(outputs: Artifacts) -> ExamplesSummary:
    """Return what ExampleGen counted."""
    return ExamplesSummary.read(_only(outputs, 'examples').uri)


def spans_read(outputs: Artifacts) -> str | None:
    """Name the spans that ExampleGen read, None if the data has none."""
    return _only(outputs, 'examples').get_string_custom_property(SPANS_PROPERTY) or None


def model_path(outputs: Artifacts) -> pathlib.Path:
    """Return the SavedModel that the Trainer exported."""
    return pathlib.Path(path_utils.serving_model_path(_only(outputs, 'model').uri))


def pushed_version(outputs: Artifacts) -> Pushed | None:
    """Return what the Pusher pushed, None if nothing."""
    artifact = _only(outputs, 'pushed_model')
    if artifact.get_int_custom_property('pushed') != 1:
        return None
    return Pushed(
        path=artifact.get_string_custom_property('pushed_destination'),
        version=artifact.get_string_custom_property('pushed_version'),
    )


def withdrawal(outputs: Artifacts) -> Withdrawn | None:
    """Return why the Pusher did not push a blessed model, None if it did or there is none."""
    artifact = _only(outputs, 'pushed_model')
    version = artifact.get_string_custom_property(WITHDRAWN_VERSION_PROPERTY)
    if not version:
        return None
    return Withdrawn(
        version=version, at=artifact.get_string_custom_property(WITHDRAWN_AT_PROPERTY)
    )


def _example_gen(outputs: Artifacts) -> str:
    summary = example_counts(outputs)
    parts = [f'{split} {summary.examples(split):,}' for split in features.SPLITS]
    if summary.unlabelled:
        parts.append(f'no label {summary.unlabelled:,}')
    note = f'{", ".join(parts)}; {summary.labels[0]!r} or {summary.labels[1]!r}'
    if summary.rejects:
        reasons = ', '.join(f'{n:,} {reason}' for reason, n in sorted(summary.rejected.items()))
        note += f'; rejected {summary.rejects:,} rows ({reasons})'
    spans = spans_read(outputs)
    return f'{spans}: {note}' if spans else note


def _transform(outputs: Artifacts) -> str:
    assets = pathlib.Path(_only(outputs, 'transform_graph').uri) / 'transform_fn' / 'assets'
    with open(assets / features.VOCABULARY_NAME, 'rb') as file:
        words = sum(1 for _ in file)
    return f'{words:,} words in the vocabulary'


def _trainer(outputs: Artifacts) -> str:
    history = read_history(_only(outputs, 'model_run').uri)
    accuracies = history[f'val_{ACCURACY}']
    shown = ' '.join(f'{a:.3f}'.removeprefix('0') for a in accuracies[-12:])
    if len(accuracies) == 1:
        return f'val accuracy {accuracies[0]:.4f}'
    return f'val accuracy by epoch: {"… " if len(accuracies) > 12 else ""}{shown}'


def _baseline(outputs: Artifacts) -> str:
    models = outputs.get('model')
    if not models:
        return 'no baseline: nothing was blessed before'
    return f'baseline: model {models[0].id}, blessed last'


def _pusher(outputs: Artifacts) -> str:
    pushed, withdrawn = pushed_version(outputs), withdrawal(outputs)
    if withdrawn is not None:
        return f'nothing pushed: a rollback withdrew version {withdrawn.version}, this model'
    return f'pushed as version {pushed.version}' if pushed else 'nothing pushed'


_TELLERS = {
    'ExampleGen': _example_gen,
    'ExampleValidator': lambda outputs: 'no anomalies',
    'Transform': _transform,
    'Trainer': _trainer,
    'BaselineResolver': _baseline,
    'Pusher': _pusher,
}


def _only(outputs: Artifacts, key: str) -> Artifact:
    (artifact,) = outputs[key]
    return artifact
