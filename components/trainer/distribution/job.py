"""What all workers of a training are told, and what comes of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

import numpy.typing as npt

from components.common.settings import TextSettings, TrainerSettings

# In which the chief's process leaves the weights.
WEIGHTS_FILE = 'weights.npz'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """A training, the same for all workers; they see the same files under the same paths.

    Attributes:
        examples: Path of the artifact, which has their summary.
        train_files: Patterns of gzipped TFRecords to learn from.
        val_files: Of those to watch.
        transform_graph: Path of the transform graph.
        log_dir: Where the chief writes TensorBoard's logs.
        trainer: The model and how it is fitted.
        text: How a text becomes token ids.
    """

    examples: str
    train_files: tuple[str, ...]
    val_files: tuple[str, ...]
    transform_graph: str
    log_dir: str
    trainer: TrainerSettings
    text: TextSettings

    def to_json(self) -> str:
        """Write it as JSON, in one line."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return json.dumps(
            {**fields, 'trainer': self.trainer.model_dump(), 'text': self.text.model_dump()}
        )

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            examples=fields['examples'],
            train_files=tuple(fields['train_files']),
            val_files=tuple(fields['val_files']),
            transform_graph=fields['transform_graph'],
            log_dir=fields['log_dir'],
            trainer=TrainerSettings.model_validate(fields['trainer']),
            text=TextSettings.model_validate(fields['text']),
        )


class Fitted(NamedTuple):
    """What comes of a training.

    Attributes:
        weights: As `get_weights` of the network has them.
        history: See `TrainedModel`.
        counts: By split, how many examples each worker read.
    """

    weights: list[npt.NDArray[Any]]
    history: dict[str, list[float]]
    counts: dict[str, list[int]]
