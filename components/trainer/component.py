"""The Trainer node, which trains and exports the model."""

from __future__ import annotations

from tfx.components import Trainer
from tfx.dsl.components.base import executor_spec
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel

from components.common import features
from components.common.settings import TextSettings
from components.trainer.executor import Executor
from components.trainer.run import TEXT_KEY, TRAINER_KEY, run_fn
from components.trainer.settings import TrainerSettings


class OverridableTrainer(Trainer):
    """TFX's Trainer with an executor that applies the settings that a run overrides."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def make_trainer(
    examples: BaseChannel,
    transform_graph: BaseChannel,
    schema: BaseChannel,
    *,
    trainer: TrainerSettings,
    text: TextSettings,
) -> Trainer:
    """Make the node that trains the model on `train` and evaluates it on `val`.

    Args:
        examples: Raw examples.
        transform_graph: Transform graph, which makes token ids from texts.
        schema: Schema of the raw examples.
        trainer: The model and how it is trained.
        text: Settings that determined the token ids.
    """
    return OverridableTrainer(
        examples=examples,
        transform_graph=transform_graph,
        schema=schema,
        run_fn=f'{run_fn.__module__}.{run_fn.__name__}',
        train_args=trainer_pb2.TrainArgs(splits=[features.TRAIN_SPLIT]),
        eval_args=trainer_pb2.EvalArgs(splits=[features.VAL_SPLIT]),
        custom_config={TRAINER_KEY: trainer.model_dump(), TEXT_KEY: text.model_dump()},
    ).with_id('Trainer')
