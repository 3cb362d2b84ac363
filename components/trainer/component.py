"""The Trainer node, which trains and exports the model."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.components import Trainer
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, channel, component_spec, standard_artifacts
from tfx.types.standard_component_specs import MODEL_KEY, MODEL_RUN_KEY, TrainerSpec
from tfx.utils import json_utils

from components.common import features
from components.common.settings import TextSettings
from components.trainer.executor import Executor
from components.trainer.run import TEXT_KEY, TRAINER_KEY, run_fn
from components.trainer.settings import TrainerSettings
from components.user_module.source import MODULE_KEY, RAW_EXAMPLES_KEY


class OverridableTrainer(Trainer):
    """TFX's Trainer with an executor that applies the settings that a run overrides."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


class ModuleTrainerSpec(TrainerSpec):
    """Interface of TFX's Trainer, with the raw examples that the exported model is checked on."""

    INPUTS: ClassVar[dict[str, Any]] = {
        **TrainerSpec.INPUTS,
        RAW_EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }


class ModuleTrainer(base_component.BaseComponent):
    """TFX's Trainer for a user's `run_fn`."""

    SPEC_CLASS = ModuleTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, **inputs_and_parameters: Any) -> None:
        outputs = {
            key: channel.OutputChannel(kind, self, key)
            for key, kind in (
                (MODEL_KEY, standard_artifacts.Model),
                (MODEL_RUN_KEY, standard_artifacts.ModelRun),
            )
        }
        super().__init__(ModuleTrainerSpec(**inputs_and_parameters, **outputs))


def make_trainer(
    examples: BaseChannel,
    transform_graph: BaseChannel,
    schema: BaseChannel,
    *,
    trainer: TrainerSettings,
    text: TextSettings,
    module: dict[str, Any] | None = None,
    transformed_examples: BaseChannel | None = None,
) -> BaseComponent:
    """Make the node that trains the model on `train` and evaluates it on `val`.

    Args:
        examples: Raw examples.
        transform_graph: Transform graph, which makes token ids from texts.
        schema: Schema of the raw examples.
        trainer: The model and how it is trained.
        text: Settings that determined the token ids.
        module: How to find the user's module that has the model, None for a model of this
            project.
        transformed_examples: The input of its `run_fn`, None if it has `build_model`.
    """
    config = {TRAINER_KEY: trainer.model_dump(), TEXT_KEY: text.model_dump()}
    train_args = trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT])
    eval_args = trainer_pb2.EvalArgs(splits=[features.VAL_SPLIT])
    if module is not None:
        config[MODULE_KEY] = module
    if transformed_examples is not None:
        node = ModuleTrainer(
            examples=transformed_examples,
            transform_graph=transform_graph,
            schema=schema,
            raw_examples=examples,
            run_fn='components.user_module.train.run_user_fn',
            train_args=train_args,
            eval_args=eval_args,
            custom_config=json_utils.dumps(config),
        )
        node.with_id('Trainer')
        return node
    function = 'components.user_module.train.fit_user_model' if module else ''
    return OverridableTrainer(
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        run_fn=function or f'{run_fn.__module__}.{run_fn.__name__}',
        train_args=train_args,
        eval_args=eval_args,
        custom_config=config,
    ).with_id('Trainer')
