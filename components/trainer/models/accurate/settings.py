"""Settings of the architecture `accurate`."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES
from components.trainer.models.ngram.settings import LinearSettings


class AccurateSettings(LinearSettings):
    """The n-gram model, and small convolutional networks that correct it."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('epochs', 'learning_rate', 'svm_cost')

    architecture: Literal['accurate'] = pydantic.Field(
        'accurate', description=f'kind of model: {", ".join(ARCHITECTURES)}'
    )
    epochs: int = pydantic.Field(2, ge=1, le=10_000, description='passes over the training split')
    batch_size: int = pydantic.Field(64, ge=1, le=65_536, description='examples per step')
    learning_rate: float = pydantic.Field(4e-3, gt=0, le=10, description='step size of Adam')
    embedding_dim: int = pydantic.Field(100, ge=1, le=4_096, description='width of a word vector')
    dropout: float = pydantic.Field(0.3, ge=0, lt=1, description='share of inputs dropped')
    restore_best_epoch: bool = pydantic.Field(
        False,
        description='keep the weights of the epoch with the lowest val loss, not of the last one',
    )
    filters: int = pydantic.Field(200, ge=1, le=10_000, description='patterns of three words')
    networks: int = pydantic.Field(
        2, ge=1, le=20, description='number of networks, whose outputs are averaged'
    )
    network_words: int = pydantic.Field(
        30_000, ge=3, le=1_000_000, description='number of most frequent words with a vector'
    )
