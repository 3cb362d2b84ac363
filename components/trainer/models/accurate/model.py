"""The n-gram model, and small convolutional networks that correct it.

A network learns the difference between the label and the out-of-fold logit of the
n-grams: it uses word orders and words that are too rare for n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from scipy import optimize, special

from components.common import features
from components.trainer.contributions import MAX_WORDS, Contributions, add, places
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, as_ragged, compile_model, fit
from components.trainer.models.accurate.max_convolution import MaxConvolution
from components.trainer.models.accurate.row_adam import RowAdam
from components.trainer.models.accurate.settings import AccurateSettings
from components.trainer.models.accurate.word_vectors import word_vectors
from components.trainer.models.ngram.model import NGramModel, read_unlabelled

# The network reads the first and the last tokens, because reviews state their verdict there.
_FIRST_TOKENS = 100
_LAST_TOKENS = 300
_WARM_UP_STEPS = 50


def train(job: TrainingJob) -> TrainedModel:
    """Train the model; its out-of-fold logits of `train` are those of the n-grams alone."""
    settings, seed = job.settings.model, job.settings.seed
    assert isinstance(settings, AccurateSettings)
    train, val = (job.examples.read(split) for split in (features.TRAIN_SPLIT, features.VAL_SPLIT))
    ngrams = NGramModel(settings, seed, name='ngrams')
    unlabelled = read_unlabelled(job)
    logits = ngrams.adapt(train, val, unlabelled)
    words = min(settings.network_words, int(train.tokens.max(initial=features.UNKNOWN_ID)) + 1)
    texts = train if unlabelled is None else train.joined(unlabelled)
    vectors = word_vectors(texts, words, settings.embedding_dim, seed)
    networks = [Network(settings, vectors, name=f'network_{i}') for i in range(settings.networks)]
    del texts, unlabelled

    tokens = keras.Input([None], dtype='int32', name='tokens')
    offset = keras.Input([1], name='ngram_logit')
    # Each network has its own column and loss, and learns independently of the others.
    columns = [keras.layers.Add()([network(tokens), offset]) for network in networks]
    fitted = keras.Model([tokens, offset], keras.layers.Concatenate()(columns))
    steps = settings.epochs * -(-len(train.labels) // settings.batch_size)
    compile_model(fitted, _WarmUpAndDecay(settings.learning_rate, steps), RowAdam, beta_2=0.99)
    history = fit(
        fitted,
        batches(train, logits.train, settings, shuffle_seed=seed),
        batches(val, logits.val, settings),
        epochs=settings.epochs,
        restore_best_epoch=settings.restore_best_epoch,
        log_dir=job.log_dir,
    )
    balance(networks, train, logits.train)
    model = AccurateModel(ngrams, networks)
    compile_model(model)
    # The networks learned from `train`, but not from `val`.
    candidates = {
        features.TRAIN_SPLIT: (train.labels, logits.train),
        features.VAL_SPLIT: (val.labels, logits.val + added_logits(networks, val)),
    }
    out_of_fold = {split: candidates[split] for split in logits.out_of_fold}
    return TrainedModel(model, history, out_of_fold)


def balance(
    networks: Sequence[Network], data: LabelledTokens, logits: npt.NDArray[np.float32]
) -> None:
    """Shift the networks' logits so that the expected number of positive texts is correct.

    After the last steps of training, the mean logit is too high or too low by up to 0.1,
    by chance. This causes most of the differences of the calibration error between seeds.
    """
    shift = missing_shift(logits + added_logits(networks, data), data.labels)
    for network in networks:
        network.logit.bias.assign_add([shift])


def added_logits(networks: Sequence[Network], data: LabelledTokens) -> npt.NDArray[np.float32]:
    """Return the mean logit of the networks, float32 `[examples, 1]`."""
    texts = ends(data.ragged())
    score = tf.function(
        lambda tokens: mean_of(networks, tokens), autograph=False, reduce_retracing=True
    )
    starts = range(0, len(data.labels), 1_000)
    return np.concatenate([score(texts[start : start + 1_000]).numpy() for start in starts])


def missing_shift(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> float:
    """Return the number to add to all logits so that their expected positives are correct.

    Args:
        logits: float32 `[texts]`.
        labels: 0 or 1 `[texts]`. If all are equal, half a text counts as the other label,
            so that the result is finite.

    Example:
        >>> round(missing_shift(np.float32([0, 0, 0]), np.float32([1, 0, 0])), 3)
        -0.693
    """
    positives = np.clip(labels.sum(), 0.5, len(labels) - 0.5)

    def excess(shift: float) -> float:
        return float(special.expit(logits.astype(np.float64) + shift).sum() - positives)

    # With a larger shift, all texts are expected to be positive, or none.
    limit = float(np.abs(logits).max()) + 50
    return float(optimize.brentq(excess, -limit, limit, xtol=1e-7))


class Network(keras.layers.Layer):
    """A network that corrects the logit of the n-grams.

    Args:
        settings: Settings of the model; `filters` and `dropout` are used.
        vectors: float32 `[words, dim]`, initial word vectors.
    """

    def __init__(
        self, settings: AccurateSettings, vectors: npt.NDArray[np.float32], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.patterns = MaxConvolution(settings.filters, vectors, name='patterns')
        self.dropout = keras.layers.Dropout(settings.dropout)
        self.logit = keras.layers.Dense(1, name='logit')

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.patterns.build(input_shape)
        self.logit.build(self.patterns.compute_output_shape(input_shape))
        self.built = True

    def call(self, tokens: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Map int32 `[batch, tokens]`, padded with 0, to float32 `[batch, 1]`."""
        return self.logit(self.dropout(self.patterns(tokens), training=training))

    def of_rows(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Map int32 `[batch, (tokens)]` to float32 `[batch, 1]`, without gradient."""
        return self.logit(self.patterns.of_rows(tokens))

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into contributions of patterns.

        The contribution of a pattern is the difference of its best window from no words.
        """
        last, found = self.patterns.strongest(tokens)
        nothing = tf.nn.relu(tf.convert_to_tensor(self.patterns.offset))
        weights = tf.convert_to_tensor(self.logit.kernel)
        values = (found - nothing) * weights[:, 0]
        bias = tf.matmul(nothing[tf.newaxis], weights)[0] + self.logit.bias
        moved = tf.where(values != 0)
        rows = moved[:, 0]
        lengths = tf.gather(tokens.row_lengths(), rows)
        last = tf.gather_nd(last, moved)
        start = tf.maximum(last - (MAX_WORDS - 1), 0)
        words = places(start, tf.minimum(last + 1, lengths) - start)
        return Contributions(
            rows, words, tf.gather_nd(values, moved), tf.repeat(bias, tokens.nrows())
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], 1)


class AccurateModel(keras.Model):
    """The logit of the n-grams plus the mean logit of the networks."""

    # Nothing calls the signature that Keras adds to a saved model, and it takes time.
    _default_save_signature = None

    def __init__(self, ngrams: NGramModel, networks: Sequence[Network]) -> None:
        super().__init__(name='accurate')
        self.ngrams = ngrams
        self.networks = list(networks)

    def call(self, tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`, see `as_ragged`."""
        tokens = as_ragged(tokens)
        return self.ngrams(tokens) + mean_of(self.networks, ends(tokens))

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into contributions."""
        read = ends(tokens)
        left_out = tokens.row_lengths() - read.row_lengths()
        parts = [self.ngrams.explain(tokens)]
        for network in self.networks:
            part = network.explain(read)
            gap = tf.gather(left_out, part.rows)[:, tf.newaxis]
            words = part.words + tf.where(part.words >= _FIRST_TOKENS, gap, 0)
            share = 1 / len(self.networks)
            parts.append(Contributions(part.rows, words, part.values * share, part.bias * share))
        return add(parts)


def mean_of(networks: Sequence[Network], tokens: tf.RaggedTensor) -> tf.Tensor:
    """Return the mean logit of the networks, `[batch, 1]`, of int32 `[batch, (tokens)]`."""
    return tf.add_n([network.of_rows(tokens) for network in networks]) / len(networks)


def ends(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Return texts, `[batch, (tokens)]`, without the middle of long ones."""
    first, rest = tokens[:, :_FIRST_TOKENS], tokens[:, _FIRST_TOKENS:]
    return tf.concat([first, rest[:, -_LAST_TOKENS:]], axis=1)


def batches(
    data: LabelledTokens,
    logits: npt.NDArray[np.float32],
    settings: AccurateSettings,
    *,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Return batches of ((tokens, n-gram logits), labels), each of texts of similar length.

    Args:
        data: The examples.
        logits: Logits of the n-grams, float32 `[examples, 1]`.
        settings: `batch_size` and `networks`; the labels are repeated for each network.
        shuffle_seed: Seed of the composition and order of batches, which are different
            in each epoch; None: always the same.
    """
    tokens = ends(data.ragged())
    lengths = tokens.row_lengths().numpy()
    batch_size = settings.batch_size
    labels = np.repeat(data.labels, settings.networks, axis=1)
    starts = np.arange(0, len(lengths), batch_size)
    rng = np.random.default_rng(shuffle_seed)

    def order() -> Iterator[npt.NDArray[np.int64]]:
        noise = 1.0 if shuffle_seed is None else rng.uniform(0.9, 1.1, len(lengths))
        rows = np.argsort(lengths * noise, kind='stable')
        for start in starts if shuffle_seed is None else rng.permutation(starts):
            yield rows[start : start + batch_size]

    def gather(rows: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        padded = tf.gather(tokens, rows).to_tensor(features.PADDING_ID)
        return (padded, tf.gather(logits, rows)), tf.gather(labels, rows)

    indices = tf.data.Dataset.from_generator(
        order, output_signature=tf.TensorSpec([None], tf.int64)
    )
    return (
        indices.apply(tf.data.experimental.assert_cardinality(len(starts)))
        .map(tf.autograph.experimental.do_not_convert(gather), num_parallel_calls=1)
        .prefetch(tf.data.AUTOTUNE)
    )


class _WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in the first steps, and then falls linearly to 0."""

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
