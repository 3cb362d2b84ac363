"""The resolver node: the latest blessed model as baseline."""

from __future__ import annotations

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.baseline_resolver.strategy import LatestBlessedBaselineStrategy


def make_baseline_resolver(candidate: BaseChannel) -> Resolver:
    """Make the node that finds the baseline for `candidate`.

    Its output `model` is empty where nothing was blessed before.
    """
    return Resolver(
        strategy_class=LatestBlessedBaselineStrategy,
        candidate=candidate,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id('BaselineResolver')
