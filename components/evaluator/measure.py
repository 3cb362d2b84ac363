"""Scores the test split with candidate and baseline, and estimates the metrics of its slices."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast

import apache_beam as beam
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import json_utils, path_utils

from components.beam_jobs.run import run_beam_pipeline
from components.common import features
from components.common.atomic_write import UNFINISHED, clear_unfinished
from components.common.decision_threshold import read_threshold
from components.common.errors import DataError
from components.common.settings import FeatureType
from components.evaluator.estimation.estimates import (
    Change,
    Estimate,
    Scores,
    SliceEstimates,
    estimate_slices,
    examples_needed,
)
from components.evaluator.evaluation import Evaluation, Metrics, number_or_none
from components.evaluator.label_issues import write_test_label_issues
from components.evaluator.metric_table import TEST_OVERLAP, Check, Ends, MetricChange
from components.evaluator.overlap import read_overlap_percent
from components.evaluator.score_details import SCORE_DETAILS_FILE
from components.evaluator.score_files import ScoreColumns, read_scores, scores_path
from components.evaluator.settings import GateSettings
from components.evaluator.slices import FoundSlices, find_slices
from components.evaluator.workers import Evaluate, Shard
from components.example_gen.artifact_files import split_files
from components.example_gen.summary import ExamplesSummary
from components.served_baseline.baseline import is_absent

CANDIDATE, BASELINE = 'candidate', 'baseline'
DEFAULT_LEVEL = 0.95
Verdict = Literal['better', 'worse', 'no difference', '']


class Models(NamedTuple):
    """The artifacts of the candidate and, if there is one, of the baseline."""

    candidate: Artifact
    baseline: Artifact | None

    def paths(self) -> dict[str, str]:
        """Return the paths of the SavedModels by name of the model."""
        models = {CANDIDATE: self.candidate, BASELINE: self.baseline}
        return {
            name: path_utils.serving_model_path(model.uri)
            for name, model in models.items()
            if model is not None
        }


class Measured(NamedTuple):
    """What was measured on the test split.

    Attributes:
        scores: The scores of each example.
        thresholds: Decision thresholds by model.
        slices: The slices, with their examples.
        estimates: Metrics with intervals, by slice.
        level: Level of the intervals.
        examples_needed: See `Evaluation`.
        test_overlap: Percentage of the texts of `test` that are also in `train` or `val`, NaN if
            it is not known.
    """

    scores: ScoreColumns
    thresholds: dict[str, float]
    slices: FoundSlices
    estimates: dict[str, SliceEstimates]
    level: float
    examples_needed: int | None
    test_overlap: float


def models_of(input_dict: dict[str, list[Any]]) -> Models:
    """Return the models among the inputs of the node."""
    baselines = input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or []
    baseline = artifact_utils.get_single_instance(baselines) if baselines else None
    if baseline is not None and is_absent(baseline.uri):
        baseline = None
    candidate = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
    return Models(candidate, baseline)


def measure(
    pipeline: beam.Pipeline,
    input_dict: dict[str, list[Any]],
    exec_properties: dict[str, Any],
    gate: GateSettings,
    columns: Mapping[str, FeatureType],
    *,
    evaluation: str,
) -> Measured:
    """Score the examples, list suspected label errors, and estimate the metrics of each slice.

    Args:
        pipeline: A Beam pipeline without transforms.
        input_dict: The inputs of the node.
        exec_properties: The parameters of the node.
        gate: The slices, and the level of the intervals.
        columns: Types of the feature columns of the slices.
        evaluation: Folder of the Evaluation artifact, for the scores, the suspected label errors
            and the report.

    Raises:
        ComponentError: If the number of scored examples is not the number that
            ExampleGen wrote.
        DataError: If an example has several values of a column, or the decision threshold of a
            model is damaged.
    """
    paths = models_of(input_dict).paths()
    try:
        thresholds = {name: read_threshold(path) for name, path in paths.items()}
    except ValueError as err:
        raise DataError(
            str(err), hint='the model is damaged: train it again, or remove the pushed version'
        ) from err
    examples = artifact_utils.get_single_uri(input_dict[standard_component_specs.EXAMPLES_KEY])
    splits = json_utils.loads(exec_properties[standard_component_specs.EXAMPLE_SPLITS_KEY])
    files = sorted(path for split in splits for path in split_files(examples, split))
    shards = [
        Shard(file, scores_path(evaluation, index, len(files))) for index, file in enumerate(files)
    ]
    summary = ExamplesSummary.read(examples)
    types: dict[str, FeatureType] = {features.LENGTH_KEY: 'string', **columns}
    details = posixpath.join(evaluation, SCORE_DETAILS_FILE)
    with run_beam_pipeline(pipeline, 'Evaluator') as running:
        _ = (
            running
            | 'Files' >> beam.Create(shards, reshuffle=True)
            | 'Evaluate'
            >> Evaluate(paths, thresholds, types, evaluation=evaluation, details=details)
        )
    clear_unfinished(posixpath.join(evaluation, UNFINISHED), 'Evaluator')
    scores = read_scores([shard.scores for shard in shards], files, list(paths), list(types))
    summary.require('Evaluator', splits, len(scores.labels))
    write_test_label_issues(
        evaluation, examples, scores, candidate=CANDIDATE, labels=summary.labels
    )
    slices = find_slices(
        scores.columns,
        [pattern for pattern, _ in gate.slice_bounds()],
        examples=len(scores.labels),
        min_examples=gate.min_slice_examples,
    )
    of_models = Scores(scores.labels, scores.predictions, thresholds)
    level = gate.confidence or DEFAULT_LEVEL
    rows = {name: found.rows for name, found in slices.slices.items()}
    return Measured(
        scores,
        thresholds,
        slices,
        estimate_slices(of_models, rows, level=level),
        level,
        examples_needed(of_models, gate.max_accuracy_drop),
        read_overlap_percent(input_dict, summary.examples(features.TEST_SPLIT)),
    )


def to_evaluation(gate: GateSettings, measured: Measured, checks: Iterable[Check]) -> Evaluation:
    """Return the evaluation.

    Args:
        gate: The settings.
        measured: What was measured.
        checks: The result of each bound.
    """
    whole = measured.estimates['']
    # A test split without examples has no metrics.
    slices = {name: found for name, found in measured.estimates.items() if name}
    overlap = {TEST_OVERLAP: number_or_none(measured.test_overlap)}
    return Evaluation(
        metrics=_values(whole.candidate) | overlap,
        slices={name: _values(found.candidate) for name, found in slices.items()},
        baseline=None if whole.baseline is None else _values(whole.baseline),
        thresholds=tuple(checks),
        intervals=_intervals(whole.candidate),
        slice_intervals={name: _intervals(found.candidate) for name, found in slices.items()},
        changes={name: _to_change(change) for name, change in (whole.changes or {}).items()},
        confidence=measured.level,
        judged_by='value' if gate.confidence is None else 'interval',
        examples_needed=measured.examples_needed,
        threshold=measured.thresholds[CANDIDATE],
        baseline_threshold=measured.thresholds.get(BASELINE),
    )


def _values(estimates: Mapping[str, Estimate]) -> Metrics:
    return {name: found.value for name, found in estimates.items()}


def _intervals(estimates: Mapping[str, Estimate]) -> dict[str, Ends]:
    return {
        name: (found.low, found.high)
        for name, found in estimates.items()
        if found.low is not None and found.high is not None
    }


def _to_change(change: Change) -> MetricChange:
    return MetricChange(
        change=change.value,
        low=change.low,
        high=change.high,
        verdict=cast(Verdict, change.verdict),
    )
