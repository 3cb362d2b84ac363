"""The Pusher node, which makes a blessed model the live version."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, channel, component_spec, standard_artifacts
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    EVALUATION_KEY,
    EXAMPLES_KEY,
    PUSHED_MODEL_KEY,
    PusherSpec,
)
from tfx.utils import json_utils

from components.pusher.executor import FINGERPRINT_KEY, NAME_KEY, Executor


class CardPusherSpec(PusherSpec):
    """Interface of TFX's Pusher, with the baseline and the inputs of the model card."""

    INPUTS: ClassVar[dict[str, Any]] = {
        **PusherSpec.INPUTS,
        BASELINE_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        EVALUATION_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }


class AtomicPusher(base_component.BaseComponent):
    """TFX's Pusher with an executor that pushes a model and its card in one atomic step."""

    SPEC_CLASS = CardPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, **inputs_and_parameters: Any) -> None:
        pushed = channel.OutputChannel(standard_artifacts.PushedModel, self, PUSHED_MODEL_KEY)
        super().__init__(CardPusherSpec(**inputs_and_parameters, **{PUSHED_MODEL_KEY: pushed}))


def make_pusher(
    model: BaseChannel,
    model_blessing: BaseChannel,
    serving_dir: str,
    *,
    baseline_model: BaseChannel,
    evaluation: BaseChannel,
    examples: BaseChannel,
    name: str,
    fingerprint: str,
) -> AtomicPusher:
    """Make the node that copies a blessed `model` to `serving_dir`, with a model card.

    It must not be cached, because the live version can change while its inputs do not.

    Args:
        model: The candidate.
        model_blessing: The Evaluator's verdict.
        serving_dir: Folder of the pushed versions.
        baseline_model: The served version that the candidate was compared with.
        evaluation: The candidate's metrics.
        examples: What the candidate was trained on.
        name: Name of the model, for the model card.
        fingerprint: Fingerprint of the code that trained the candidate.
    """
    node = AtomicPusher(
        model=model,
        model_blessing=model_blessing,
        baseline_model=baseline_model,
        evaluation=evaluation,
        examples=examples,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
        custom_config=json_utils.dumps({NAME_KEY: name, FINGERPRINT_KEY: fingerprint}),
    )
    node.with_id('Pusher')
    return node
