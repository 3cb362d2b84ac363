"""The model of the TensorFlow tutorial "Basic text classification".

See tensorflow.org/tutorials/keras/text_classification. There, it has a loss of 0.31 and an
accuracy of 0.874 on the IMDB test split.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from components.common import features
from components.common.errors import ConfigError
from components.common.settings import TextSettings
from components.trainer.contributions import Contributions, places
from components.trainer.dataset import Batching
from components.trainer.fitting import TrainedModel, TrainingJob, as_ragged, compile_model, fit
from components.trainer.models.tutorial.settings import TutorialSettings

_VAL_BATCH_SIZE = 1_024


def train(job: TrainingJob) -> TrainedModel:
    """Train the model.

    With `distribution: mirrored`, all GPUs of this machine share each batch; with
    `input: stream`, examples are read again in each epoch.
    """
    settings = job.settings.model
    assert isinstance(settings, TutorialSettings)
    strategy = make_strategy(settings.distribution)
    replicas = int(strategy.num_replicas_in_sync)
    if settings.batch_size % replicas:
        raise ConfigError(
            f'trainer.model.batch_size: expected a multiple of {replicas}, the number of devices '
            f'that share each batch, got {settings.batch_size}',
            hint=f'set trainer.model.batch_size={-(-settings.batch_size // replicas) * replicas}',
        )

    def batches(split: str, size: int, shuffle_seed: int | None) -> tf.data.Dataset:
        # Keras fails if the devices' shares of an epoch's first batch differ in size:
        # "Inputs to operation AddN must have the same size and shape".
        batching = Batching(job.text.max_tokens, size, shuffle_seed, multiple_of=replicas)
        if settings.input == 'stream':
            return job.examples.stream(split, batching)
        return job.examples.read(split).batches(batching)

    train_batches = batches(features.TRAIN_SPLIT, settings.batch_size, job.settings.seed)
    val_batches = batches(features.VAL_SPLIT, _VAL_BATCH_SIZE // replicas * replicas, None)
    with strategy.scope():
        network = build_network(settings, job.text)
    history = fit(
        network,
        train_batches,
        val_batches,
        epochs=settings.epochs,
        restore_best_epoch=settings.restore_best_epoch,
        log_dir=job.log_dir,
    )
    if settings.distribution == 'mirrored':
        # The exported model has variables of one device.
        weights = network.get_weights()
        network = build_network(settings, job.text)
        network.set_weights(weights)
    return TrainedModel(Padded(network, job.text.max_tokens), history)


def make_strategy(distribution: str) -> tf.distribute.Strategy:
    """Return the strategy to train on one device, or `mirrored` on all GPUs of this machine."""
    if distribution == 'one_device':
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices('GPU') or tf.config.list_logical_devices('CPU')
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def build_network(settings: TutorialSettings, text: TextSettings) -> keras.Model:
    """Build and compile the network.

    Args:
        settings: Settings of the model.
        text: Settings that determined the token ids.

    Returns:
        A model from int32 `[batch, max_tokens]` to float32 logits `[batch, 1]`.
    """
    tokens = keras.Input([text.max_tokens], dtype='int32', name='tokens')
    vectors = WordVectors(text.vocab_size, settings.embedding_dim, name='word_vectors')(tokens)
    vectors = keras.layers.Dropout(settings.dropout)(vectors)
    pooled = keras.layers.GlobalAveragePooling1D()(vectors)
    pooled = keras.layers.Dropout(settings.dropout)(pooled)
    network = keras.Model(tokens, keras.layers.Dense(1, name='logit')(pooled), name='network')
    compile_model(network, settings.learning_rate)
    if tf.distribute.has_strategy():
        # Keras fails with several steps per call under MirroredStrategy: "You must feed a
        # value for placeholder tensor 'while/…'".
        network.steps_per_execution = 1
    return network


class WordVectors(keras.layers.Layer):
    """An embedding whose gradient is a dense tensor.

    The Adam of Keras 3 squares the slices of a sparse gradient before it adds up those of
    the same word, which is not Adam's formula and costs the tutorial's model a point of
    accuracy. The table is small, so a dense gradient costs little.

    Args:
        vocab_size: Number of rows of the table.
        dim: Number of columns of the table.
    """

    def __init__(self, vocab_size: int, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shape = (vocab_size, dim)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        del input_shape
        self.table = self.add_weight(shape=self._shape, initializer='uniform', name='table')
        self.built = True

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        """Look up int32 `[batch, tokens]` as float32 `[batch, tokens, dim]`."""
        return _gather(tf.convert_to_tensor(self.table), tokens)


@tf.custom_gradient
def _gather(table: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        rows, dim = table.shape
        flat = tf.reshape(upstream, [-1, dim])
        return tf.math.unsorted_segment_sum(flat, tf.reshape(ids, [-1]), rows), None

    return tf.gather(table, ids), gradient


class Padded(keras.Model):
    """A model of ragged tokens, from one of padded tokens.

    Args:
        network: Maps int32 `[batch, width]` to logits.
        width: Number of tokens that it reads of a text.
    """

    # Nothing calls the signature that Keras adds to a saved model, and it takes time.
    _default_save_signature = None

    def __init__(self, network: keras.Model, width: int) -> None:
        super().__init__(name='tutorial')
        self.network = network
        self.width = width

    def call(self, tokens: tf.Tensor | tf.RaggedTensor, training: bool = False) -> tf.Tensor:
        """Return float32 logits `[batch, 1]`."""
        padded = as_ragged(tokens).to_tensor(features.PADDING_ID, shape=[None, self.width])
        return self.network(padded, training=training)

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into a contribution of each word.

        The mean and the dense layer are linear. The contribution of a word is its
        difference from padding, which takes its place in shorter texts.
        """
        read = tokens[:, : self.width]
        dense = self.network.get_layer('logit')
        table = tf.convert_to_tensor(self.network.get_layer('word_vectors').table)
        of_ids = tf.matmul(table, tf.convert_to_tensor(dense.kernel))[:, 0]
        of_padding = of_ids[features.PADDING_ID]
        rows = read.value_rowids()
        start = tf.range(tf.size(rows, tf.int64)) - tf.gather(read.row_starts(), rows)
        bias = tf.fill([read.nrows()], of_padding + tf.convert_to_tensor(dense.bias)[0])
        values = (tf.gather(of_ids, read.values) - of_padding) / self.width
        return Contributions(rows, places(start, 1), values, bias)
