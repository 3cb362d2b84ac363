"""The Evaluator node: the gate."""

from __future__ import annotations

from tfx.components import Evaluator
from tfx.types import BaseChannel

from components import features
from components.evaluator.config import build_eval_config
from components.settings import GateSettings


def make_evaluator(
    examples: BaseChannel, model: BaseChannel, baseline_model: BaseChannel, gate: GateSettings
) -> Evaluator:
    """Make the node that blesses `model`, or does not.

    Args:
        examples: Raw examples; only the split `test` is read.
        model: The candidate.
        baseline_model: The latest blessed model, possibly none.
        gate: The bounds.
    """
    return Evaluator(
        examples=examples,
        model=model,
        baseline_model=baseline_model,
        example_splits=[features.TEST_SPLIT],
        eval_config=build_eval_config(gate),
    ).with_id('Evaluator')
