"""Reads from a node's artifacts the thing worth knowing about it."""

from __future__ import annotations

import math
import pathlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tfx.components.evaluator import constants
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components import features
from components.baseline_resolver.strategy import adopted_version
from components.evaluator.config import ACCURACY, BASELINE_HINT, Bound, bounds_of
from components.evaluator.results import read_eval_config
from components.example_gen.summary import REJECTS_FILES, SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import WITHDRAWN_AT_PROPERTY, WITHDRAWN_VERSION_PROPERTY
from components.trainer.history import read_history
from pipeline.outcome import Check, Pushed, Withdrawn

Artifacts = Mapping[str, Sequence[Artifact]]
_CANDIDATE = ('', 'candidate')
_BASELINE = 'baseline'


class Evaluation:
    """What the Evaluator found: metrics by model and slice, and its verdict.

    Args:
        outputs: The Evaluator's.
    """

    def __init__(self, outputs: Artifacts) -> None:
        uri = _only(outputs, 'evaluation').uri
        blessing = _only(outputs, 'blessing')
        self.blessed: bool = (
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
            == constants.BLESSED_VALUE
        )
        self.slices: dict[str, dict[str, float | None]] = {}
        # The bounds that it was judged by are kept with it; a run may have overridden settings.
        config = read_eval_config(uri)
        self._bounds = list(bounds_of(config))
        has_baseline = any(spec.is_baseline for spec in config.model_specs)
        self.baseline: dict[str, float | None] | None = {} if has_baseline else None
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
        return tuple(check for bound in self._bounds for check in self._checks_of(bound))

    def _checks_of(self, bound: Bound) -> Iterator[Check]:
        if bound.of_baseline:
            of_baseline = (self.baseline or {}).get(bound.metric)
            yield _check(f'baseline_{bound.metric}', '', of_baseline, bound, hint=BASELINE_HINT)
            return
        where = f'{features.LENGTH_KEY}={bound.slice}' if bound.slice else ''
        value = (self.slices.get(where, {}) if where else self.metrics).get(bound.metric)
        yield _check(bound.metric, where, value, bound)
        if bound.least_change is not None and self.baseline is not None:
            base = self.baseline.get(bound.metric)
            base = math.nan if base is None else base
            # A comparison with NaN, on either side, is false: not passed.
            yield Check(
                metric=bound.metric,
                slice=where,
                value=value,
                bound=f'>= {base + bound.least_change:.4f} (baseline)',
                passed=value is not None and value - base >= bound.least_change,
            )


def _check(metric: str, where: str, value: float | None, bound: Bound, *, hint: str = '') -> Check:
    lowest = math.nan if bound.lowest is None else bound.lowest
    return Check(
        metric=metric,
        slice=where,
        value=value,
        bound=f'>= {lowest:.4f}',
        passed=bound.holds(value),
        hint=hint,
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


def published(store: Any, execution_id: int) -> tuple[int, Artifacts]:
    """Return an execution's state and its output artifacts by key, from the store."""
    (execution,) = store.get_executions_by_id([execution_id])
    outputs: dict[str, list[Any]] = {}
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (event.OUTPUT, event.INTERNAL_OUTPUT)
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([e.artifact_id for e in events])}
    type_ids = [artifact.type_id for artifact in artifacts.values()]
    types = {t.id: t for t in store.get_artifact_types_by_id(type_ids)}
    for event in events:
        artifact = artifacts[event.artifact_id]
        outputs.setdefault(event.path.steps[0].key, []).append(
            artifact_utils.deserialize_artifact(types[artifact.type_id], artifact)
        )
    return execution.last_known_state, outputs


def example_counts(outputs: Artifacts) -> ExamplesSummary:
    """Return what ExampleGen counted."""
    return ExamplesSummary.read(_only(outputs, 'examples').uri)


def rejects_files(outputs: Artifacts) -> str | None:
    """Return the pattern of the files with the rows that could not be used, None without any."""
    uri = _only(outputs, 'examples').uri
    return posixpath.join(uri, REJECTS_FILES) if ExamplesSummary.read(uri).rejects else None


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
    version = adopted_version(models[0])
    if version is not None:
        return f'baseline is the served version {version}: ML Metadata knew no blessed model'
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
