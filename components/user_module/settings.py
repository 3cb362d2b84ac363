"""Settings of a model that a user's module defines."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pydantic

from components.trainer.models import ArchitectureSettings

Output = Literal['probability', 'logit']


class ModuleSettings(ArchitectureSettings):
    """A model that the module of `--module` defines: by `build_model` or by `run_fn`."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('epochs', 'train_steps', 'eval_steps')

    architecture: Literal['module'] = pydantic.Field(
        'module', description='architecture of the model: that of the module of --module'
    )
    output: Output | None = pydantic.Field(
        None,
        description='what the model returns for an example: probability or logit; null: the loss '
        'of build_model tells it; required with run_fn',
    )
    epochs: int = pydantic.Field(
        5,
        ge=1,
        le=10_000,
        description='number of passes over the training split, with build_model',
    )
    batch_size: int = pydantic.Field(
        32, ge=1, le=65_536, description='number of examples per training step, with build_model'
    )
    learning_rate: float = pydantic.Field(
        1e-3, gt=0, le=10, description='learning rate of Adam, if build_model does not compile'
    )
    restore_best_epoch: bool = pydantic.Field(
        True,
        description='whether to keep the weights of the epoch with the lowest val loss, instead of '
        'those of the last epoch, with build_model',
    )
    train_steps: int = pydantic.Field(
        1_000, ge=1, description='fn_args.train_steps of run_fn: number of training steps'
    )
    eval_steps: int = pydantic.Field(
        150, ge=1, description='fn_args.eval_steps of run_fn: number of evaluation steps'
    )
    config: dict[str, Any] = pydantic.Field(
        {}, description='fn_args.custom_config of run_fn; further hparams of build_model'
    )
