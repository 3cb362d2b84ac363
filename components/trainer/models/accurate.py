"""The n-gram model, and a small network trained on what it leaves over.

The network sees the n-grams' logits of models that did not learn from the
example, and learns what to add to them: orders and words that no n-gram has
seen often enough. See the README for what it gives, and what else was tried.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components import features
from components.settings import TrainerSettings
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, compile_model, fit
from components.trainer.layers.max_convolution import MaxConvolution
from components.trainer.layers.ngram_logits import NGramLogits
from components.trainer.layers.ragged import as_ragged
from components.trainer.learning.word_vectors import word_vectors
from components.trainer.models import ngram
from components.trainer.row_adam import RowAdam

# What the network reads of a text: reviews begin and end with their verdict.
_FIRST_TOKENS = 100
_LAST_TOKENS = 300
_WARM_UP_STEPS = 50


def train(job: TrainingJob) -> TrainedModel:
    """Train the model."""
    settings = job.settings
    ngrams = ngram.make_layer(job)
    logits = ngram.adapt(ngrams, job)
    words = min(settings.network_words, int(job.train.tokens.max(initial=features.UNKNOWN_ID)) + 1)
    vectors = word_vectors(job.train, words, settings.embedding_dim, settings.seed)
    network = build_network(settings, vectors)

    tokens = keras.Input([None], dtype='int32', name='tokens')
    offset = keras.Input([1], name='ngram_logit')
    fitted = keras.Model([tokens, offset], keras.layers.Add()([network(tokens), offset]))
    steps = settings.epochs * -(-len(job.train.labels) // settings.batch_size)
    compile_model(fitted, _WarmUpAndDecay(settings.learning_rate, steps), RowAdam, beta_2=0.99)
    history = fit(
        fitted,
        batches(job.train, logits.train, settings.batch_size, shuffle_seed=settings.seed),
        batches(job.val, logits.val, 256),
        settings,
        job.log_dir,
    )
    model = AccurateModel(ngrams, network)
    compile_model(model, settings.learning_rate)
    return TrainedModel(model, history)


def build_network(settings: TrainerSettings, vectors: npt.NDArray[np.float32]) -> keras.Model:
    """Build the network: from int32 `[batch, tokens]`, padded with 0, to logits `[batch, 1]`."""
    tokens = keras.Input([None], dtype='int32', name='tokens')
    matches = MaxConvolution(settings.filters, vectors, name='patterns')(tokens)
    matches = keras.layers.Dropout(settings.dropout)(matches)
    return keras.Model(tokens, keras.layers.Dense(1, name='logit')(matches), name='network')


class AccurateModel(keras.Model):
    """Adds the network's logits to the n-grams'."""

    def __init__(self, ngrams: NGramLogits, network: keras.Model) -> None:
        super().__init__(name='accurate')
        self.ngrams = ngrams
        self.network = network

    def call(self, tokens: tf.Tensor | tf.RaggedTensor, training: bool = False) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`, see `as_ragged`."""
        tokens = as_ragged(tokens)
        read = ends(tokens).to_tensor(features.PADDING_ID)
        return self.ngrams(tokens) + self.network(read, training=training)


def ends(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Leave out the middle of long texts, `[batch, (tokens)]`."""
    first, rest = tokens[:, :_FIRST_TOKENS], tokens[:, _FIRST_TOKENS:]
    return tf.concat([first, rest[:, -_LAST_TOKENS:]], axis=1)


def batches(
    data: LabelledTokens,
    logits: npt.NDArray[np.float32],
    batch_size: int,
    *,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Return batches of ((tokens, n-gram logits), labels), each of texts of like length.

    Args:
        data: The examples.
        logits: Of the n-grams, float32 `[examples, 1]`.
        batch_size: Examples per batch.
        shuffle_seed: Put other texts together, in another order, each epoch.
    """
    tokens = ends(data.ragged())
    lengths = tokens.row_lengths().numpy()
    starts = np.arange(0, len(lengths), batch_size)
    rng = np.random.default_rng(shuffle_seed)

    def order() -> Iterator[npt.NDArray[np.int64]]:
        noise = 1.0 if shuffle_seed is None else rng.uniform(0.9, 1.1, len(lengths))
        rows = np.argsort(lengths * noise, kind='stable')
        for start in starts if shuffle_seed is None else rng.permutation(starts):
            yield rows[start : start + batch_size]

    def gather(rows: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        padded = tf.gather(tokens, rows).to_tensor(features.PADDING_ID)
        return (padded, tf.gather(logits, rows)), tf.gather(data.labels, rows)

    indices = tf.data.Dataset.from_generator(
        order, output_signature=tf.TensorSpec([None], tf.int64)
    )
    return (
        indices.apply(tf.data.experimental.assert_cardinality(len(starts)))
        .map(tf.autograph.experimental.do_not_convert(gather), num_parallel_calls=1)
        .prefetch(tf.data.AUTOTUNE)
    )


class _WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises to the rate in a few steps, and falls to nothing at the end."""

    def __init__(self, rate: float, steps: int) -> None:
        self._rate = rate
        self._steps = steps
        self._warm_up_steps = max(1, min(_WARM_UP_STEPS, steps // 10))

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / self._warm_up_steps
        falling = (self._steps - step) / max(1, self._steps - self._warm_up_steps)
        return self._rate * tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        return {'rate': self._rate, 'steps': self._steps}
