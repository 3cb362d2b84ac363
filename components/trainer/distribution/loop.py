"""Fits a model by steps that all replicas take together.

Keras's own `fit` fails with several workers, both in 3.12 and 3.15: "Attempt to convert a
value (PerReplica…) to a Tensor"; what lies behind it fails too (tensorflow/tensorflow#72388).
It would also weigh each replica's mean alike, however many rows it is of. So the step is
written out here, with the same loss, optimizer and metric.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.common.errors import ConfigError
from components.common.settings import TrainerSettings
from components.trainer.distribution.rows import Rows, endless_batches
from components.trainer.fitting import Curves, History, report_epoch

_STEPS_AT_ONCE = 25
_VAL_BATCH_SIZE = 1_024


@dataclasses.dataclass(frozen=True)
class Team:
    """Who takes the steps.

    Attributes:
        strategy: In whose scope variables are made.
        workers: How many processes there are.
        index: Which of them this one is.
    """

    strategy: tf.distribute.Strategy
    workers: int = 1
    index: int = 0

    @property
    def local_replicas(self) -> int:
        """How many devices of this process take part."""
        return int(self.strategy.num_replicas_in_sync) // self.workers

    def of_each(self, value: int) -> list[int]:
        """Return what each worker says, in their order."""
        said = np.zeros(self.workers, np.int64)
        said[self.index] = value
        return [int(v) for v in self.total(said)]

    def total(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Add up arrays of equal shape over all workers."""
        local_replicas = self.local_replicas

        def of_replica(context: Any) -> tf.Tensor:
            first = context.replica_id_in_sync_group % local_replicas == 0
            return tf.constant(values if first else np.zeros_like(values))

        distributed = self.strategy.experimental_distribute_values_from_function(of_replica)
        total: npt.NDArray[np.int64] = self.strategy.reduce('SUM', distributed, axis=None).numpy()
        return total


def fit(
    team: Team,
    build: Callable[[], keras.Model],
    *,
    parts: Mapping[str, Rows],
    counts: Mapping[str, Sequence[int]],
    settings: TrainerSettings,
    log_dir: str,
    alive: Callable[[], None] = lambda: None,
) -> tuple[list[npt.NDArray[Any]], History]:
    """Fit a model.

    Args:
        team: Who takes the steps.
        build: Makes the model, compiled as `compile_model` does: from int32
            `[batch, width]` to float32 logits `[batch, 1]`.
        parts: What this worker learns from, `train`, and what it measures it
            on after each epoch, `val`.
        counts: By split, how many rows each worker has.
        settings: `epochs`, `batch_size`, of all replicas together,
            `restore_best_epoch` and `seed` are used.
        log_dir: Where the first worker writes TensorBoard's logs.
        alive: Is called every few steps.

    Returns:
        Its weights, as `get_weights` has them, and the history, see
        `TrainedModel`; the same on all workers.

    Raises:
        ConfigError: If a batch has fewer rows than there are replicas.
    """
    replicas = int(team.strategy.num_replicas_in_sync)
    if settings.batch_size < replicas:
        raise ConfigError(
            f'batch_size {settings.batch_size} is divided between {replicas} replicas',
            hint=f'set trainer.batch_size to {replicas} or more',
        )
    with team.strategy.scope():
        model = build()
        # In the first step, it would make its variables inside a loop, which they cannot leave.
        model.optimizer.build(model.trainable_variables)
    steps = _Steps(team, model, alive)
    # The same number of steps as one device would take.
    train_steps = math.ceil(sum(counts[features.TRAIN_SPLIT]) / settings.batch_size)
    val_steps = math.ceil(sum(counts[features.VAL_SPLIT]) / _VAL_BATCH_SIZE)
    learned = steps.iterator(parts[features.TRAIN_SPLIT], train_steps, seed=settings.seed)
    watched = steps.iterator(parts[features.VAL_SPLIT], val_steps, seed=None)
    curves = Curves(log_dir) if team.index == 0 else None
    history: History = {}
    least = math.inf
    weights: list[npt.NDArray[Any]] | None = None
    for epoch in range(settings.epochs):
        values = {
            **steps.take(steps.learn, learned, train_steps),
            **{f'val_{k}': v for k, v in steps.take(steps.watch, watched, val_steps).items()},
        }
        for name, value in values.items():
            history.setdefault(name, []).append(value)
        if curves is not None:
            curves.write(epoch, values)
        report_epoch(epoch, settings.epochs, values)
        # As Keras's EarlyStopping has it: NaN is never the best.
        loss = math.inf if math.isnan(values['val_loss']) else values['val_loss']
        if settings.restore_best_epoch and (loss < least or weights is None):
            least, weights = loss, model.get_weights()
    return weights or model.get_weights(), history


class _Steps:
    """Takes steps, several at a time."""

    def __init__(self, team: Team, model: keras.Model, alive: Callable[[], None]) -> None:
        self._team = team
        self._model = model
        self._alive = alive
        self.learn = self._several(self._learn)
        self.watch = self._several(self._watch)

    def iterator(self, rows: Rows, steps: int, *, seed: int | None) -> Any:
        """Return an iterator over the batches of this worker's replicas."""
        batches = endless_batches(rows, steps * self._team.local_replicas, seed=seed)
        distributed = self._team.strategy.distribute_datasets_from_function(lambda _: batches)
        return iter(distributed)

    def take(self, function: Any, iterator: Any, steps: int) -> dict[str, float]:
        """Take the steps of an epoch, and return the means over its rows."""
        sums = np.zeros(3)
        for start in range(0, steps, _STEPS_AT_ONCE):
            count = min(_STEPS_AT_ONCE, steps - start)
            sums += function(iterator, tf.constant(count)).numpy()
            self._alive()
        loss, correct, rows = (float(value) for value in sums)
        return {'loss': loss / rows, 'binary_accuracy': correct / rows}

    def _several(self, step: Callable[[Any], tf.Tensor]) -> Any:
        strategy = self._team.strategy

        def several(iterator: Any, count: tf.Tensor) -> tf.Tensor:
            def once(taken: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                of_replicas = strategy.run(step, (next(iterator),))
                return taken + 1, sums + strategy.reduce('SUM', of_replicas, axis=None)

            start = (tf.constant(0), tf.zeros(3))
            _, sums = tf.while_loop(
                lambda taken, _: taken < count, once, start, parallel_iterations=1
            )
            return sums

        return tf.function(several, autograph=False)

    def _learn(self, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        tokens, labels, weights = batch
        context = tf.distribute.get_replica_context()
        # Of all replicas: each row of the step weighs the same, wherever it is.
        rows = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(weights))
        with tf.GradientTape() as tape:
            logits = self._model(tokens, training=True)
            losses = _losses(labels, logits) * weights
            loss = tf.reduce_sum(losses) / rows
        variables = self._model.trainable_variables
        # The optimizer adds up the gradients of all replicas.
        self._model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return _sums(losses, labels, logits, weights)

    def _watch(self, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        tokens, labels, weights = batch
        logits = self._model(tokens, training=False)
        return _sums(_losses(labels, logits) * weights, labels, logits, weights)


def _losses(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return what the compiled loss is the mean of: float32 `[batch]`."""
    return keras.losses.binary_crossentropy(labels[:, tf.newaxis], logits, from_logits=True)


def _sums(
    losses: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Return loss, correct answers and number of rows, added up: float32 `[3]`."""
    # A logit of 0 is a probability of one half.
    correct = tf.reshape(
        keras.metrics.binary_accuracy(labels[:, tf.newaxis], logits, threshold=0.0), [-1]
    )
    return tf.stack(
        [tf.reduce_sum(losses), tf.reduce_sum(correct * weights), tf.reduce_sum(weights)]
    )
