"""Computes the Evaluator's metrics in one pass over the predictions.

TFMA's own classes give the same values, which the tests check, but each class
unpacks every example again for each metric and slice. They also count a
prediction of NaN as a negative one, so a broken model could pass on data with
few positives. Here one such prediction makes every metric of its slice NaN,
and the gate refuses NaN.

The executor adds whole batches to `Totals`. TFMA can compute the same metrics,
example by example, from the stored configuration of a run.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.common.decision_threshold import DEFAULT_THRESHOLD
from components.evaluator.estimation.totals import Totals
from components.evaluator.metric_table import find_metric

_TOTALS_NAME = '_binary_totals'


class _TotalsCombineFn(beam.CombineFn):
    """Computes the totals example by example, for TFMA."""

    def __init__(
        self, key: metric_types.MetricKey, eval_config: config_pb2.EvalConfig, threshold: float
    ) -> None:
        self._key = key
        self._eval_config = eval_config
        self._threshold = threshold

    def create_accumulator(self) -> Totals:
        return Totals()

    def add_input(self, accumulator: Totals, element: Any) -> Totals:
        for label, prediction, _ in tfma.metrics.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._key.model_name
        ):
            accumulator.add(label, prediction, threshold=self._threshold)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Totals]) -> Totals:
        total = Totals()
        for accumulator in accumulators:
            total.merge(accumulator)
        return total

    def extract_output(self, accumulator: Totals) -> dict[metric_types.MetricKey, Totals]:
        return {self._key: accumulator}


def metric_key(
    name: str, model_name: str, *, example_weighted: bool = False
) -> metric_types.MetricKey:
    """Return TFMA's key of a metric of a model."""
    return metric_types.MetricKey(
        name=name, model_name=model_name, example_weighted=example_weighted
    )


class TotalsMetric(tfma.metrics.Metric):
    """A metric that TFMA computes from `Totals`, by its name in `METRICS`.

    The class name must not be one of TFMA's, because TFMA would use its own class.

    Args:
        name: Name of the metric.
        thresholds: Decision threshold of each model by its name, None if all have the default.
    """

    def __init__(self, name: str, thresholds: Mapping[str, float] | None = None) -> None:
        super().__init__(_create_computations, name=name, thresholds=thresholds)


def _create_computations(
    name: str,  # TFMA passes arguments by their names.
    thresholds: Mapping[str, float] | None,
    eval_config: config_pb2.EvalConfig,
    model_names: list[str],
    example_weighted: bool,
) -> metric_types.MetricComputations:
    computations: metric_types.MetricComputations = []
    for model in model_names:
        totals = metric_key(_TOTALS_NAME, model, example_weighted=example_weighted)
        key = metric_key(name, model, example_weighted=example_weighted)
        # TFMA runs equal computations once, so all metrics share the totals.
        # In TFMA, the name of the only model is empty.
        threshold = (thresholds or {}).get(model or tfma.CANDIDATE_KEY, DEFAULT_THRESHOLD)
        combine = _TotalsCombineFn(totals, eval_config, threshold)
        result = functools.partial(_compute, key, totals)
        computations += [
            metric_types.MetricComputation(keys=[totals], preprocessors=None, combiner=combine),
            metric_types.DerivedMetricComputation(keys=[key], result=result),
        ]
    return computations


def _compute(
    key: metric_types.MetricKey, totals: metric_types.MetricKey, found: Mapping[Any, Any]
) -> dict[metric_types.MetricKey, float]:
    return {key: find_metric(key.name).compute(found[totals])}
