"""Adam for large tables of which a step uses few rows."""

from __future__ import annotations

import keras
import tensorflow as tf


class RowAdam(keras.optimizers.Adam):
    """Adam that updates only the rows that a step uses.

    Keras's Adam updates all rows of a table in each step, but a batch uses some 4,000 of
    30,000 word vectors. The rows of a gradient must be distinct.
    """

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Apply a gradient, which is `IndexedSlices` for a table."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        rows, values = gradient.indices, gradient.values
        table, first, second = (
            getattr(weight, 'value', weight) if not isinstance(weight, tf.Variable) else weight
            for weight in (variable, self._momentums[index], self._velocities[index])
        )
        step = tf.cast(self.iterations + 1, tf.float32)
        rate = (
            tf.cast(learning_rate, tf.float32)
            * tf.sqrt(1 - tf.pow(self.beta_2, step))
            / (1 - tf.pow(self.beta_1, step))
        )
        mean = self.beta_1 * tf.gather(first, rows) + (1 - self.beta_1) * values
        square = self.beta_2 * tf.gather(second, rows) + (1 - self.beta_2) * tf.square(values)
        first.scatter_update(tf.IndexedSlices(mean, rows))
        second.scatter_update(tf.IndexedSlices(square, rows))
        table.scatter_sub(tf.IndexedSlices(rate * mean / (tf.sqrt(square) + self.epsilon), rows))
