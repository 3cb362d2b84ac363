"""The tutorial's model: averaged word vectors and one logit.

From "Basic text classification" (tensorflow.org/tutorials/keras), where it
reaches a loss of 0.31 and an accuracy of 0.874 on the IMDB test split.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from components.common import features
from components.common.settings import TextSettings, TrainerSettings
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, compile_model, fit
from components.trainer.layers.contributions import Contributions, places
from components.trainer.layers.ragged import as_ragged
from components.trainer.layers.word_vectors import WordVectors


def train(job: TrainingJob) -> TrainedModel:
    """Train the model."""
    settings, width = job.settings, job.text.max_tokens
    network = build(settings, job.text)
    history = fit(
        network,
        batches(job.train, width, settings.batch_size, shuffle_seed=settings.seed),
        batches(job.val, width, 1_024),
        settings,
        job.log_dir,
    )
    return TrainedModel(finish(network, job.text), history)


def build(settings: TrainerSettings, text: TextSettings) -> keras.Model:
    """Make the compiled network, see `build_model`."""
    network = build_model(settings, vocab_size=text.vocab_size, max_tokens=text.max_tokens)
    compile_model(network, settings.learning_rate)
    return network


def finish(network: keras.Model, text: TextSettings) -> keras.Model:
    """Make the model of ragged tokens."""
    return Padded(network, text.max_tokens)


def batches(
    data: LabelledTokens, width: int, batch_size: int, *, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Return batches of (padded tokens, labels), shuffled anew each epoch if seeded."""
    dataset = tf.data.Dataset.from_tensor_slices((data.padded(width), data.labels))
    if shuffle_seed is not None:
        dataset = dataset.shuffle(len(data.labels), seed=shuffle_seed)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def build_model(settings: TrainerSettings, *, vocab_size: int, max_tokens: int) -> keras.Model:
    """Build the model, not compiled.

    Args:
        settings: `embedding_dim` and `dropout` are used.
        vocab_size: Ids are in `[0, vocab_size)`.
        max_tokens: Columns of the input.

    Returns:
        A model from int32 `[batch, max_tokens]` to float32 logits `[batch, 1]`.
    """
    tokens = keras.Input([max_tokens], dtype='int32', name='tokens')
    vectors = WordVectors(vocab_size, settings.embedding_dim, name='word_vectors')(tokens)
    vectors = keras.layers.Dropout(settings.dropout)(vectors)
    pooled = keras.layers.GlobalAveragePooling1D()(vectors)
    pooled = keras.layers.Dropout(settings.dropout)(pooled)
    return keras.Model(tokens, keras.layers.Dense(1, name='logit')(pooled), name='network')


class Padded(keras.Model):
    """Lets a model of padded tokens take ragged ones.

    Args:
        network: From int32 `[batch, width]` to logits.
        width: How many tokens of a text it reads.
    """

    # Keras adds a signature of its own to what is saved; nothing calls it, and it takes time.
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
        """Take the logits of int32 `[batch, (tokens)]` apart: a part for each word.

        A mean and a dense layer are linear: each word adds what it has above
        the padding that is read in its stead where a text is shorter.
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
