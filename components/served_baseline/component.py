"""The node that finds the baseline, in the form that each kind of service can run."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.types import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.served_baseline import executor
from components.served_baseline.strategy import LatestBlessedBaselineStrategy

NODE_ID = 'BaselineResolver'


def make_baseline_resolver(candidate: BaseChannel, serving_dir: str) -> Resolver:
    """Make the resolver that finds the baseline for `candidate`, for local runs.

    Its output `model` is empty where nothing was blessed before, or all of it is
    withdrawn from `serving_dir`.
    """
    return Resolver(
        strategy_class=LatestBlessedBaselineStrategy,
        config={'serving_dir': serving_dir},
        candidate=candidate,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id(NODE_ID)


def make_latest_blessed_resolver() -> Resolver:
    """Make the resolver that Vertex AI knows: the latest blessed model, of any run.

    A strategy of our own cannot be compiled.
    """
    return Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id(NODE_ID)


class ServedBaselineSpec(ComponentSpec):
    """Interface of the node that reads what is served."""

    PARAMETERS = {executor.SERVING_DIR_KEY: ExecutionParameter(type=str)}  # noqa: RUF012
    INPUTS = {executor.CANDIDATE_KEY: ChannelParameter(type=Model)}  # noqa: RUF012
    OUTPUTS = {executor.MODEL_KEY: ChannelParameter(type=Model)}  # noqa: RUF012


class ServedBaseline(base_component.BaseComponent):
    """An ordinary component in place of a resolver, which Kubeflow Pipelines cannot run."""

    SPEC_CLASS = ServedBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)


def make_served_baseline(candidate: BaseChannel, serving_dir: str) -> ServedBaseline:
    """Make the node that takes the served model for the baseline of `candidate`.

    Its output `model` holds a note where nothing is served. What is served
    changes without any input of the node changing: it must not be cached.
    """
    spec = ServedBaselineSpec(
        **{
            executor.CANDIDATE_KEY: candidate,
            executor.SERVING_DIR_KEY: serving_dir,
            executor.MODEL_KEY: Channel(type=Model),
        }
    )
    node: ServedBaseline = ServedBaseline(spec=spec).with_id(NODE_ID)
    return node
