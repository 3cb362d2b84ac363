"""The StatisticsGen node, which computes the statistics of each split."""

from __future__ import annotations

from tfx.components import StatisticsGen
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.common.settings import Executors
from components.statistics_gen.executor import Executor
from components.statistics_gen.stock import StockExecutor


class OnePassStatisticsGen(StatisticsGen):
    """TFX's StatisticsGen with the executor that needs one small Beam graph."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


class StockStatisticsGen(StatisticsGen):
    """TFX's StatisticsGen, which also counts the examples, and the texts that repeat."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)


def make_statistics_gen(examples: BaseChannel, executors: Executors = 'fast') -> StatisticsGen:
    """Make the node that computes statistics of each split of `examples`."""
    node_class = StockStatisticsGen if executors == 'stock' else OnePassStatisticsGen
    return node_class(examples=examples).with_id('StatisticsGen')
