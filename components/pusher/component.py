"""The Pusher node."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import BaseChannel, channel, component_spec, standard_artifacts
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    PUSHED_MODEL_KEY,
    PusherSpec,
)
from tfx.utils import json_utils

from components.pusher.executor import FINGERPRINT_KEY, NAME_KEY, Executor


class CardPusherSpec(PusherSpec):
    """TFX's, and what the model card tells of."""

    INPUTS: ClassVar[dict[str, Any]] = {
        **PusherSpec.INPUTS,
        EVALUATION_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }


class AtomicPusher(base_component.BaseComponent):
    """TFX's Pusher with the executor that pushes as a whole, model card included."""

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
    evaluation: BaseChannel,
    examples: BaseChannel,
    name: str,
    fingerprint: str,
) -> AtomicPusher:
    """Make the node that copies a blessed `model` to `serving_dir`, with a card of it.

    Args:
        model: The candidate.
        model_blessing: Whether it is blessed.
        serving_dir: The folder of versions.
        evaluation: How good it is.
        examples: What it was trained from.
        name: Of the model, as it is served.
        fingerprint: Of the code that trained it.
    """
    node = AtomicPusher(
        model=model,
        model_blessing=model_blessing,
        evaluation=evaluation,
        examples=examples,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
        ),
        custom_config=json_utils.dumps({NAME_KEY: name, FINGERPRINT_KEY: fingerprint}),
    )
    node.with_id('Pusher')
    return node
