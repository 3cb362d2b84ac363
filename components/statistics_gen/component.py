"""The StatisticsGen node, which computes the statistics of each split."""

from __future__ import annotations

from tfx.components import StatisticsGen
from tfx.dsl.components.base import executor_spec
from tfx.types import BaseChannel

from components.statistics_gen.executor import Executor


class OnePassStatisticsGen(StatisticsGen):
    """TFX's StatisticsGen with the executor that needs one small Beam graph."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def make_statistics_gen(examples: BaseChannel) -> StatisticsGen:
    """Make the node that computes statistics of each split of `examples`."""
    return OnePassStatisticsGen(examples=examples).with_id('StatisticsGen')
