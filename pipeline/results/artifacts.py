"""Reads facts about a run from the artifacts of its nodes."""

from __future__ import annotations

import pathlib
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from tfx.types import Artifact, artifact_utils

from components.common import features
from components.evaluator.metric_table import ACCURACY
from components.example_gen.summary import REJECTS_FILES, SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import (
    NEW_VERSION_PROPERTY,
    WITHDRAWN_AT_PROPERTY,
    WITHDRAWN_VERSION_PROPERTY,
)
from components.served_baseline.baseline import read_baseline
from components.trainer.history import read_history
from pipeline.results.outcome import Pushed, Withdrawn

Artifacts = Mapping[str, Sequence[Artifact]]


def only(outputs: Artifacts, key: str) -> Artifact:
    """Return the one artifact of an output.

    Raises:
        LookupError: If there is none.
        ValueError: If there are several.
    """
    (artifact,) = outputs[key]
    return artifact


def describe(node_id: str, outputs: Artifacts) -> str:
    """Return one line about the outputs of a node; empty if there is nothing to say."""
    description = _DESCRIPTIONS.get(node_id)
    return description(outputs) if description else ''


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


def rejects_files(outputs: Artifacts) -> str | None:
    """Return the pattern of the files with rejected rows, None if there are none."""
    uri = only(outputs, 'examples').uri
    return posixpath.join(uri, REJECTS_FILES) if ExamplesSummary.read(uri).rejects else None


def spans_read(outputs: Artifacts) -> str | None:
    """Return the spans that ExampleGen read, in words, None if the data has none."""
    return only(outputs, 'examples').get_string_custom_property(SPANS_PROPERTY) or None


def pushed_version(outputs: Artifacts) -> Pushed | None:
    """Return the version that serves the model, None if nothing was pushed."""
    artifact = only(outputs, 'pushed_model')
    if artifact.get_int_custom_property('pushed') != 1:
        return None
    return Pushed(
        path=artifact.get_string_custom_property('pushed_destination'),
        version=artifact.get_string_custom_property('pushed_version'),
    )


def baseline_version(outputs: Artifacts) -> str | None:
    """Return the version that is the baseline, None if there is no baseline."""
    served = read_baseline(only(outputs, 'model').uri)
    return served.version if served else None


def is_new_version(outputs: Artifacts) -> bool:
    """Return whether the Pusher added a version; it adds none if the model is live already."""
    return bool(only(outputs, 'pushed_model').get_int_custom_property(NEW_VERSION_PROPERTY))


def withdrawal(outputs: Artifacts) -> Withdrawn | None:
    """Return the withdrawal because of which a model was not pushed, None if there is none."""
    artifact = only(outputs, 'pushed_model')
    version = artifact.get_string_custom_property(WITHDRAWN_VERSION_PROPERTY)
    if not version:
        return None
    return Withdrawn(version=version, at=artifact.get_string_custom_property(WITHDRAWN_AT_PROPERTY))


def _describe_example_gen(outputs: Artifacts) -> str:
    summary = ExamplesSummary.read(only(outputs, 'examples').uri)
    parts = [f'{split} {summary.examples(split):,}' for split in features.SPLITS]
    if summary.unlabelled:
        parts.append(f'no label {summary.unlabelled:,}')
    note = f'{", ".join(parts)}; {summary.labels[0]!r} or {summary.labels[1]!r}'
    if summary.rejects:
        reasons = ', '.join(f'{n:,} {reason}' for reason, n in sorted(summary.rejected.items()))
        note += f'; rejected {summary.rejects:,} rows ({reasons})'
    spans = spans_read(outputs)
    return f'{spans}: {note}' if spans else note


def _describe_transform(outputs: Artifacts) -> str:
    assets = pathlib.Path(only(outputs, 'transform_graph').uri) / 'transform_fn' / 'assets'
    with open(assets / features.VOCABULARY_NAME, 'rb') as file:
        words = sum(1 for _ in file)
    return f'{words:,} words in the vocabulary'


def _describe_trainer(outputs: Artifacts) -> str:
    history = read_history(only(outputs, 'model_run').uri)
    accuracies = history[f'val_{ACCURACY}']
    shown = ' '.join(f'{a:.3f}'.removeprefix('0') for a in accuracies[-12:])
    if len(accuracies) == 1:
        return f'val accuracy {accuracies[0]:.4f}'
    return f'val accuracy by epoch: {"… " if len(accuracies) > 12 else ""}{shown}'


def _describe_baseline(outputs: Artifacts) -> str:
    version = baseline_version(outputs)
    if version is None:
        return 'no baseline: no other model is served'
    return f'the baseline is version {version}, which is served'


def _describe_pusher(outputs: Artifacts) -> str:
    pushed, withdrawn = pushed_version(outputs), withdrawal(outputs)
    if withdrawn is not None:
        return f'nothing pushed: a rollback withdrew this model, version {withdrawn.version}'
    return f'pushed as version {pushed.version}' if pushed else 'nothing pushed'


_DESCRIPTIONS = {
    'ExampleGen': _describe_example_gen,
    'ExampleValidator': lambda outputs: 'no anomalies',
    'Transform': _describe_transform,
    'Trainer': _describe_trainer,
    'ServedBaseline': _describe_baseline,
    'Pusher': _describe_pusher,
}
