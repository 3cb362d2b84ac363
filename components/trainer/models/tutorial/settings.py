"""Settings of the tutorial's model."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES, ArchitectureSettings


class TutorialSettings(ArchitectureSettings):
    """Averaged word vectors and one dense layer, trained with Adam."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('epochs', 'learning_rate')

    architecture: Literal['tutorial'] = pydantic.Field(
        'tutorial', description=f'architecture of the model: {", ".join(ARCHITECTURES)}'
    )
    epochs: int = pydantic.Field(
        10, ge=1, le=10_000, description='number of passes over the training split'
    )
    batch_size: int = pydantic.Field(
        32, ge=1, le=65_536, description='number of examples per training step'
    )
    learning_rate: float = pydantic.Field(1e-3, gt=0, le=10, description='learning rate of Adam')
    embedding_dim: int = pydantic.Field(
        16, ge=1, le=4_096, description='dimensions of a word vector'
    )
    dropout: float = pydantic.Field(
        0.2, ge=0, lt=1, description='fraction of units that dropout sets to 0'
    )
    restore_best_epoch: bool = pydantic.Field(
        False,
        description='whether to keep the weights of the epoch with the lowest val loss, instead of '
        'those of the last epoch',
    )
    distribution: Literal['one_device', 'mirrored'] = pydantic.Field(
        'one_device',
        description='one_device; mirrored: all GPUs of the machine share each batch',
    )
    input: Literal['memory', 'stream'] = pydantic.Field(
        'memory',
        description='memory: keep all examples in memory; stream: read them again each epoch, for '
        'data that does not fit into memory',
    )
