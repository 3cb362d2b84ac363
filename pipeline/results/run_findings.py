"""Collects the results of a run from the artifacts of its nodes."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from tfx.components.evaluator import constants
from tfx.types import Artifact
from tfx.utils import path_utils

from components.common import features
from components.common.decision_threshold import (
    DEFAULT_THRESHOLD,
    format_threshold,
    read_threshold,
)
from components.evaluator.evaluation import Evaluation, read_evaluation
from components.evaluator.metric_table import ACCURACY, format_metric
from components.example_gen.summary import REJECTS_FILES, SPANS_PROPERTY, ExamplesSummary
from components.pusher.properties import (
    NEW_VERSION_PROPERTY,
    WITHDRAWN_AT_PROPERTY,
    WITHDRAWN_VERSION_PROPERTY,
)
from components.readers.messages import count_rows
from components.readers.records import NOT_UTF8
from components.served_baseline.baseline import read_baseline
from components.statistics_gen.text_statistics import read_text_statistics
from components.trainer.history import read_history
from components.trainer.threshold import TUNED_THRESHOLD_FILE, parse_tuned_threshold
from components.transform.properties import STOCK_REASON_PROPERTY
from pipeline.results.outcome import Pushed, RunOutcome, Withdrawn

Artifacts = Mapping[str, Sequence[Artifact]]


@dataclasses.dataclass
class RunFindings:
    """What the nodes of a run found so far.

    Attributes:
        evaluation: Metrics and bounds, None before the Evaluator.
        blessed: Whether the Evaluator blessed the candidate.
        baseline_version: Version of the baseline, None without a baseline.
        pushed: The version that serves the model, None if none.
        withdrawn: The rollback because of which a blessed model was not pushed, None if none.
        spans: The spans that were read, None if the data has none.
        rejects: Pattern of the files with rejected rows, None if there are none.
        scored: Folders of the artifacts that may have tables of suspected label errors.

    Example:
        findings = RunFindings()
        note = findings.add('Evaluator', outputs)
        outcome = RunOutcome(run_id=run_id, **findings.outcome_fields())
    """

    evaluation: Evaluation | None = None
    blessed: bool = False
    baseline_version: str | None = None
    pushed: Pushed | None = None
    withdrawn: Withdrawn | None = None
    spans: str | None = None
    rejects: str | None = None
    scored: list[str] = dataclasses.field(default_factory=list)

    def add(self, node_id: str, outputs: Artifacts) -> str:
        """Add the outputs of a node.

        Returns:
            One line that describes what the node found or made; empty for some nodes.

        Raises:
            LookupError, OSError, ValueError: If the outputs are damaged.
        """
        adders = {
            'ExampleGen': self._add_examples,
            'StatisticsGen': _describe_overlap,
            'ExampleValidator': lambda outputs: 'no anomalies',
            'Transform': _count_words,
            'Trainer': self._add_model_run,
            'ServedBaseline': self._add_baseline,
            'Evaluator': self._add_evaluation,
            'Pusher': self._add_push,
        }
        return adders[node_id](outputs) if node_id in adders else ''

    def _add_examples(self, outputs: Artifacts) -> str:
        examples = _only(outputs, 'examples')
        summary = ExamplesSummary.read(examples.uri)
        self.spans = examples.get_string_custom_property(SPANS_PROPERTY) or None
        self.rejects = posixpath.join(examples.uri, REJECTS_FILES) if summary.rejects else None
        parts = [f'{split} {summary.examples(split):,}' for split in features.SPLITS]
        if summary.unlabelled:
            parts.append(f'no label {summary.unlabelled:,}')
        note = f'{", ".join(parts)}; {summary.labels[0]!r} or {summary.labels[1]!r}'
        if unusual := summary.describe_formats():
            note += f'; {unusual}'
        if summary.groups:
            note += f'; {summary.groups.describe()}'
        if summary.rejects:
            reasons = ', '.join(f'{n:,} {reason}' for reason, n in sorted(summary.rejected.items()))
            note += f'; rejected {count_rows(summary.rejects)} ({reasons})'
            if NOT_UTF8 in summary.rejected:
                note += '; `doctor` names the encoding for --encoding'
        if summary.dropped:
            labels = ', '.join(f'{n:,} {label!r}' for label, n in sorted(summary.dropped.items()))
            note += f'; left out {count_rows(sum(summary.dropped.values()))} by label ({labels})'
        return f'{self.spans}: {note}' if self.spans else note

    def _add_model_run(self, outputs: Artifacts) -> str:
        self.scored.append(_only(outputs, 'model_run').uri)
        return _describe_training(outputs)

    def _add_baseline(self, outputs: Artifacts) -> str:
        served = read_baseline(_only(outputs, 'model').uri)
        self.baseline_version = served.version if served else None
        if served is None:
            return 'no baseline: no other model is served'
        return f'the baseline is version {served.version}, which is served'

    def _add_evaluation(self, outputs: Artifacts) -> str:
        self.evaluation = read_evaluation(_only(outputs, 'evaluation').uri)
        self.scored.append(_only(outputs, 'evaluation').uri)
        blessed = constants.ARTIFACT_PROPERTY_BLESSED_KEY
        value = _only(outputs, 'blessing').get_int_custom_property(blessed)
        self.blessed = value == constants.BLESSED_VALUE
        accuracy = format_metric(ACCURACY, self.evaluation.metrics.get(ACCURACY), 'missing')
        return f'accuracy {accuracy}: {"blessed" if self.blessed else "not blessed"}'

    def _add_push(self, outputs: Artifacts) -> str:
        artifact = _only(outputs, 'pushed_model')
        text = artifact.get_string_custom_property
        self.pushed = self.withdrawn = None
        if artifact.get_int_custom_property('pushed') == 1:
            self.pushed = Pushed(path=text('pushed_destination'), version=text('pushed_version'))
        version = text(WITHDRAWN_VERSION_PROPERTY)
        if version:
            self.withdrawn = Withdrawn(version=version, at=text(WITHDRAWN_AT_PROPERTY))
            return f'nothing pushed: a rollback withdrew this model, version {version}'
        return f'pushed as version {self.pushed.version}' if self.pushed else 'nothing pushed'

    def outcome_fields(self) -> dict[str, Any]:
        """Return the findings as arguments of `RunOutcome`."""
        names = ('spans', 'rejects', 'baseline_version', 'pushed', 'withdrawn')
        fields = {name: getattr(self, name) for name in names}
        if self.evaluation is not None:
            shared = _names_of(Evaluation) & _names_of(RunOutcome)
            fields |= {name: getattr(self.evaluation, name) for name in shared}
        return fields


def _names_of(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def is_new_version(outputs: Artifacts) -> bool:
    """Return whether the Pusher added a version; it adds none if the model is live already."""
    return bool(_only(outputs, 'pushed_model').get_int_custom_property(NEW_VERSION_PROPERTY))


def _only(outputs: Artifacts, key: str) -> Artifact:
    (artifact,) = outputs[key]
    return artifact


def _describe_overlap(outputs: Artifacts) -> str:
    """Return how many texts of `test` are in `train` or `val`, too, if there are any."""
    statistics = read_text_statistics(_only(outputs, 'statistics').uri)
    splits = statistics.splits if statistics else ()
    test = next((split for split in splits if split.name == features.TEST_SPLIT), None)
    if test is None or test.seen is None or not test.nearly_seen:
        return ''
    equal, near = (_share(number, test.examples) for number in (test.seen, test.nearly_seen))
    note = f'of {test.examples:,} texts of test, {equal if test.seen else near} are in train or val'
    if test.seen == test.nearly_seen:
        return note
    return (
        f'{note}, {near} if numbers are ignored' if test.seen else f'{note} if numbers are ignored'
    )


def _share(number: int, total: int) -> str:
    return f'{number:,} ({number / total:.1%})'


def _count_words(outputs: Artifacts) -> str:
    transform_graph = _only(outputs, 'transform_graph')
    folder = pathlib.Path(transform_graph.uri)
    vocabularies = folder / 'transformed_metadata' / 'asset_map'
    notes = []
    if vocabularies.exists():
        for name in json.loads(vocabularies.read_bytes()).values():
            with open(folder / 'transform_fn' / 'assets' / name, 'rb') as file:
                words = sum(1 for _ in file)
            of = 'the vocabulary' if name == features.VOCABULARY_NAME else name
            notes.append(f'{words:,} words in {of}')
    reason = transform_graph.get_string_custom_property(STOCK_REASON_PROPERTY)
    if reason:
        notes.append(f"TFX's executor: {reason}")
    return '; '.join(notes)


def _describe_training(outputs: Artifacts) -> str:
    """Return the accuracy on `val`, and the decision threshold unless it is the default."""
    folder = _only(outputs, 'model_run').uri
    notes = [_last_accuracies(read_history(folder).get(f'val_{ACCURACY}', []))]
    tuned = pathlib.Path(folder, TUNED_THRESHOLD_FILE)
    if tuned.exists():
        notes.append(parse_tuned_threshold(tuned.read_bytes()).describe())
    else:
        model = path_utils.serving_model_path(_only(outputs, 'model').uri)
        threshold = read_threshold(model)
        if threshold != DEFAULT_THRESHOLD:
            notes.append(f'threshold {format_threshold(threshold)}')
    if len(notes) > 1 and notes[0]:
        # Keras computes the accuracy at 0.5.
        notes[0] = notes[0].replace('val accuracy', 'val accuracy at 0.5')
    return '; '.join(filter(None, notes))


def _last_accuracies(accuracies: Sequence[float]) -> str:
    if not accuracies:  # of a user's model
        return ''
    if len(accuracies) == 1:
        return f'val accuracy {accuracies[0]:.4f}'
    shown = ' '.join(f'{a:.3f}'.removeprefix('0') for a in accuracies[-12:])
    return f'val accuracy by epoch: {"… " if len(accuracies) > 12 else ""}{shown}'
