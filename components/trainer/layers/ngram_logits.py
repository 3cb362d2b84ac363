"""A linear model of the n-grams of a text."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.trainer.dataset import LabelledTokens
from components.trainer.layers.contributions import Contributions, places
from components.trainer.layers.ngram_keys import ngram_keys, ngram_places
from components.trainer.layers.ragged import as_ragged
from components.trainer.learning.calibration import calibrate
from components.trainer.learning.nb_svm import (
    Unlabelled,
    fit_nb_svm,
    out_of_fold_scores,
)
from components.trainer.learning.ngram_counts import count_ngrams, find_ngrams


class NGramLogits(keras.layers.Layer):
    """Calibrated logits of the NB-SVM; `adapt` learns its weights and builds it.

    Args:
        max_ngram: Number of words of the longest n-grams.
        min_documents: Number of texts that an n-gram must be in to be used.
        cost: C of the SVM.
        unlabelled_weight: Weight of all texts without a label, relative to that of
            all texts with one.
        seed: Seed of the halves for the out-of-fold scores.
    """

    def __init__(
        self,
        *,
        max_ngram: int,
        min_documents: int,
        cost: float,
        unlabelled_weight: float,
        seed: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=False, **kwargs)
        self._max_ngram = max_ngram
        self._min_documents = min_documents
        self._cost = cost
        self._unlabelled_weight = unlabelled_weight
        self._seed = seed

    def adapt(
        self,
        data: LabelledTokens,
        watched: LabelledTokens | None = None,
        unlabelled: LabelledTokens | None = None,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Learn n-grams, weights and calibration.

        Args:
            data: Examples to learn from.
            watched: Further examples, of which only the logits are computed.
            unlabelled: Texts without a label, which improve the ratios.

        Returns:
            Logits, float32 `[examples, 1]`: of `data`, each by a model that did not
            learn from the example; and of `watched`, by the final model.
        """
        counts = count_ngrams(data, self._max_ngram, self._min_documents)
        labels = data.labels[:, 0].astype(np.int8)
        further = None
        if unlabelled is not None and len(counts.keys):
            presence = find_ngrams(unlabelled, counts.keys, self._max_ngram)
            further = Unlabelled(presence, self._unlabelled_weight)
        model = fit_nb_svm(counts.presence, labels, self._cost, further)
        if min(labels.sum(), len(labels) - labels.sum()) < 2:
            scores = model.scores(counts.presence)  # too few to divide into halves
        else:
            scores = out_of_fold_scores(counts.presence, labels, self._cost, self._seed, further)
        scale, shift = calibrate(scores, labels)
        self._store(counts.keys, scale * model.weights, model.ratios, scale * model.bias + shift)
        out_of_fold = (scale * scores + shift)[:, np.newaxis].astype(np.float32)
        return out_of_fold, None if watched is None else self._logits_in_batches(watched)

    def _store(
        self,
        keys: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        ratios: npt.NDArray[np.float32],
        bias: float,
    ) -> None:
        if not len(keys):
            # TensorFlow refuses a table without entries. No text has this key.
            keys = np.array([-1], np.int64)
            weights = ratios = np.zeros(1, np.float32)
        self._keys = keys.astype(np.int64)
        values = np.stack([weights, np.square(ratios)], axis=1).astype(np.float32)
        self.built = True
        # Per n-gram, its addends in the numerator and in the square of the denominator.
        self.terms = self.add_weight(
            shape=values.shape, initializer='zeros', trainable=False, name='terms'
        )
        self.bias = self.add_weight(shape=(), initializer='zeros', trainable=False, name='bias')
        self.terms.assign(values)
        self.bias.assign(bias)
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(self._keys, np.arange(len(keys), dtype=np.int64)),
            default_value=-1,
        )

    def _logits_in_batches(self, data: LabelledTokens) -> npt.NDArray[np.float32]:
        tokens = data.ragged()
        logits = [
            self(tokens[start : start + 1_000]).numpy()
            for start in range(0, len(data.labels), 1_000)
        ]
        return np.concatenate(logits)

    def call(self, tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`, see `as_ragged`."""
        tokens = as_ragged(tokens)
        cells, _ = self._find(tokens)
        size = tf.shape(self.terms, tf.int64)[0]
        # An n-gram counts once, however often it occurs in the text.
        present, _ = tf.unique(cells)
        terms = tf.gather(tf.convert_to_tensor(self.terms), present % size)
        sums = tf.math.unsorted_segment_sum(terms, present // size, tokens.nrows())
        scores = tf.math.divide_no_nan(sums[:, 0], tf.sqrt(sums[:, 1]))
        return (scores + self.bias)[:, tf.newaxis]

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into a contribution of each n-gram.

        The position of an n-gram is that of its first occurrence.
        """
        cells, known = self._find(tokens)
        starts, lengths = [], []
        for length in range(1, self._max_ngram + 1):
            starts.append(ngram_places(tokens, length))
            lengths.append(tf.fill(tf.shape(starts[-1]), length))
        size = tf.shape(self.terms, tf.int64)[0]
        present, which = tf.unique(cells, tf.int64)
        count = tf.size(present)
        first = tf.math.unsorted_segment_min(tf.range(tf.size(cells)), which, count)
        start, length = (
            tf.gather(tf.boolean_mask(tf.concat(parts, 0), known), first)
            for parts in (starts, lengths)
        )
        rows = present // size
        terms = tf.gather(tf.convert_to_tensor(self.terms), present % size)
        squares = tf.math.unsorted_segment_sum(terms[:, 1], rows, tokens.nrows())
        values = tf.math.divide_no_nan(terms[:, 0], tf.sqrt(tf.gather(squares, rows)))
        bias = tf.fill([tokens.nrows()], tf.convert_to_tensor(self.bias))
        return Contributions(rows, places(start, length), values, bias)

    def _find(self, tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return row * size + index of each n-gram with weights, and a mask of these."""
        parts = [ngram_keys(tokens, length) for length in range(1, self._max_ngram + 1)]
        indices = self._table.lookup(tf.concat([keys for keys, _ in parts], 0))
        rows = tf.concat([rows for _, rows in parts], 0)
        known = indices >= 0
        return tf.boolean_mask(rows * tf.shape(self.terms, tf.int64)[0] + indices, known), known
