"""The ServedBaseline node, which hands the served version to the Evaluator."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model

from components.served_baseline import executor
from components.served_baseline.driver import Driver


class ServedBaselineSpec(ComponentSpec):
    """Interface of ServedBaseline."""

    PARAMETERS: ClassVar[dict[str, Any]] = {executor.SERVING_DIR_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar[dict[str, Any]] = {executor.CANDIDATE_KEY: ChannelParameter(type=Model)}
    OUTPUTS: ClassVar[dict[str, Any]] = {executor.MODEL_KEY: ChannelParameter(type=Model)}


class ServedBaseline(base_component.BaseComponent):
    """An ordinary component, not a resolver, so that every service can run it."""

    SPEC_CLASS = ServedBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = Driver


def make_served_baseline(candidate: BaseChannel, serving_dir: str) -> ServedBaseline:
    """Make the node that finds the baseline of `candidate`: the version that is served.

    Its output `model` holds a copy of that version, or a note that there is none.

    Args:
        candidate: This run's model, which is not its own baseline.
        serving_dir: Folder of the pushed versions.
    """
    spec = ServedBaselineSpec(
        **{
            executor.CANDIDATE_KEY: candidate,
            executor.SERVING_DIR_KEY: serving_dir,
            executor.MODEL_KEY: Channel(type=Model),
        }
    )
    node: ServedBaseline = ServedBaseline(spec=spec).with_id('ServedBaseline')
    return node
