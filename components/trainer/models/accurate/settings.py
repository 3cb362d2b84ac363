"""Settings of the architecture `accurate`."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES
from components.trainer.models.ngram.settings import LinearSettings


class AccurateSettings(LinearSettings):
    """The n-gram model, and small convolutional networks that correct its logits."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('epochs', 'learning_rate', 'svm_cost')

    architecture: Literal['accurate'] = pydantic.Field(
        'accurate', description=f'architecture of the model: {", ".join(ARCHITECTURES)}'
    )
    epochs: int = pydantic.Field(
        2, ge=1, le=10_000, description='number of passes over the training split'
    )
    batch_size: int = pydantic.Field(
        64, ge=1, le=65_536, description='number of examples per training step'
    )
    learning_rate: float = pydantic.Field(4e-3, gt=0, le=10, description='learning rate of Adam')
    embedding_dim: int = pydantic.Field(
        100, ge=1, le=4_096, description='dimensions of a word vector'
    )
    dropout: float = pydantic.Field(
        0.3, ge=0, lt=1, description='fraction of units that dropout sets to 0'
    )
    restore_best_epoch: bool = pydantic.Field(
        False,
        description='whether to keep the weights of the epoch with the lowest val loss, instead of '
        'those of the last epoch',
    )
    filters: int = pydantic.Field(
        200, ge=1, le=10_000, description='number of convolution filters over three words'
    )
    networks: int = pydantic.Field(
        2, ge=1, le=20, description='number of networks; their outputs are averaged'
    )
    network_words: int = pydantic.Field(
        30_000,
        ge=3,
        le=1_000_000,
        description='number of the most frequent words that have a word vector',
    )
