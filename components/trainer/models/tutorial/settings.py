"""Settings of the tutorial's model."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES, ArchitectureSettings


class TutorialSettings(ArchitectureSettings):
    """Averaged word vectors and one dense layer, trained with Adam."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('epochs', 'learning_rate')

    architecture: Literal['tutorial'] = pydantic.Field(
        'tutorial', description=f'kind of model: {", ".join(ARCHITECTURES)}'
    )
    epochs: int = pydantic.Field(10, ge=1, le=10_000, description='passes over the training split')
    batch_size: int = pydantic.Field(32, ge=1, le=65_536, description='examples per step')
    learning_rate: float = pydantic.Field(1e-3, gt=0, le=10, description='step size of Adam')
    embedding_dim: int = pydantic.Field(16, ge=1, le=4_096, description='width of a word vector')
    dropout: float = pydantic.Field(0.2, ge=0, lt=1, description='share of inputs dropped')
    restore_best_epoch: bool = pydantic.Field(
        False,
        description='keep the weights of the epoch with the lowest val loss, not of the last one',
    )
    distribution: Literal['one_device', 'mirrored'] = pydantic.Field(
        'one_device',
        description='one_device, or mirrored: all GPUs of the machine share each batch',
    )
    input: Literal['memory', 'stream'] = pydantic.Field(
        'memory',
        description='memory: read the examples once; stream: read them again in each epoch, for '
        'data that does not fit into memory',
    )
