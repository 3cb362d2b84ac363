"""The n-gram model: a calibrated linear SVM on naive Bayes ratios, and document vectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.common import features
from components.common.progress import report_progress
from components.trainer.contributions import Contributions, places
from components.trainer.dataset import LabelledTokens
from components.trainer.fitting import TrainedModel, TrainingJob, as_ragged, compile_model, measure
from components.trainer.models.ngram import nb_svm
from components.trainer.models.ngram.document_vectors import (
    DocumentVectors,
    Selection,
    Texts,
    learn_vectors,
    select_ngrams,
)
from components.trainer.models.ngram.nb_svm import Floats
from components.trainer.models.ngram.ngrams import (
    count_ngrams,
    find_ngrams,
    ngram_candidates,
)
from components.trainer.models.ngram.settings import NgramSettings

_TEXTS_PER_CALL = 1_000


def train(job: TrainingJob) -> TrainedModel:
    settings = job.settings.model
    assert isinstance(settings, NgramSettings)
    train, val = (job.examples.read(split) for split in (features.TRAIN_SPLIT, features.VAL_SPLIT))
    model = NGramModel(settings, job.settings.seed, name='ngram')
    logits = model.adapt(train, val, read_unlabelled(job))
    compile_model(model)
    parts = {
        features.TRAIN_SPLIT: (train.labels, logits.train),
        features.VAL_SPLIT: (val.labels, logits.val),
    }
    out_of_fold = {split: parts[split] for split in logits.out_of_fold}
    return TrainedModel(model, measure(parts, job.log_dir), out_of_fold)


def read_unlabelled(job: TrainingJob) -> LabelledTokens | None:
    """Return the texts without a label; None if there are none or their weight is 0."""
    assert isinstance(job.settings.model, NgramSettings)
    if not job.settings.model.unlabelled_weight:
        return None
    unlabelled = job.examples.read(features.UNLABELLED_SPLIT)
    return unlabelled if len(unlabelled.labels) else None


class SplitLogits(NamedTuple):
    """Calibrated logits of the n-grams.

    Attributes:
        train: float32 `[examples, 1]`.
        val: float32 `[examples, 1]`.
        out_of_fold: The splits whose logits are by models that did not learn from the example.
            Those that the model learned from are missing if there are too few texts for two
            halves.
    """

    train: Floats
    val: Floats
    out_of_fold: tuple[str, ...]


class NGramModel(keras.Model):
    """Calibrated logits of the NB-SVM; `adapt` learns its weights and builds it.

    Args:
        settings: Settings of the model.
        seed: Seed of the halves for the out-of-fold scores, and of the document vectors.
    """

    # Nothing calls the signature that Keras adds to a saved model, and it takes time.
    _default_save_signature = None

    def __init__(self, settings: NgramSettings, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._seed = seed

    def adapt(
        self, train: LabelledTokens, val: LabelledTokens, unlabelled: LabelledTokens | None = None
    ) -> SplitLogits:
        """Learn n-grams, weights and calibration from `train`, and from `val` if set so.

        Args:
            train: Examples to learn from.
            val: Further examples.
            unlabelled: Texts without a label, which improve the ratios and the vectors.

        Returns:
            Logits of `train` and of `val`.
        """
        settings = self._settings
        data = train.joined(val) if settings.fit_to_val else train
        counts = count_ngrams(data, settings.max_ngram, settings.min_ngram_documents)
        labels = data.labels[:, 0].astype(np.int8)
        further = None
        if unlabelled is not None and len(counts.keys):
            presence = find_ngrams(unlabelled, counts.keys, settings.max_ngram)
            further = nb_svm.Unlabelled(presence, settings.unlabelled_weight)
        cost = settings.svm_cost
        model = nb_svm.fit_nb_svm(counts.presence, labels, cost, further)
        halves = nb_svm.draw_halves(data.bags(), labels, self._seed)
        if halves is None:
            scores = model.scores(counts.presence)
        else:
            scores = nb_svm.out_of_fold_scores(counts.presence, labels, cost, halves, further)
        scale, shift = nb_svm.calibrate(scores, labels)
        model = model.scaled(scale, shift)
        logits = (scale * scores + shift).astype(np.float32)
        terms, bias = [model.weights, np.square(model.ratios)], model.bias
        if settings.dimensions:
            selection = None
            if halves is not None:
                others = further and Texts(further.presence, model.scores(further.presence))
                selection = select_ngrams(Texts(counts.presence, logits), others)
                presence = further = others = None  # frees memory
            vectors = self._learn_vectors(selection, logits, labels, halves)
            if selection is not None and vectors is not None:
                more = np.zeros([2, len(counts.keys)], np.float32)
                more[:, selection.indices] = vectors.weights, vectors.squares
                terms = [vectors.scale * terms[0], terms[1], *more]
                bias = vectors.scale * bias + vectors.bias
                logits = vectors.out_of_fold
        self._store(counts.keys, terms, bias)
        logits = logits[:, np.newaxis]
        both = (features.TRAIN_SPLIT, features.VAL_SPLIT)
        if settings.fit_to_val:
            split = len(train.labels)
            return SplitLogits(logits[:split], logits[split:], () if halves is None else both)
        tokens = val.ragged()
        starts = range(0, len(val.labels), _TEXTS_PER_CALL)
        of_val = [self(tokens[start : start + _TEXTS_PER_CALL]).numpy() for start in starts]
        return SplitLogits(logits, np.concatenate(of_val), both[1:] if halves is None else both)

    def _learn_vectors(
        self,
        selection: Selection | None,
        logits: Floats,
        labels: npt.NDArray[np.int8],
        halves: npt.NDArray[np.bool_] | None,
    ) -> DocumentVectors | None:
        """Return a regression on document vectors; None if it predicts no better with them."""
        if selection is None or halves is None:
            report_progress(
                'document vectors left out: too few texts have n-grams that indicate a label'
            )
            return None
        dimensions, seed = self._settings.dimensions, self._seed
        vectors: DocumentVectors = learn_vectors(
            selection, logits, labels, halves, dimensions=dimensions, seed=seed
        )
        without, with_vectors = (
            float(np.mean(np.logaddexp(0, np.where(labels, -values, values))))
            for values in (logits, vectors.out_of_fold)
        )
        losses = f'loss {without:.4f} without them, {with_vectors:.4f} with them'
        if with_vectors < without:
            report_progress(f'document vectors: {losses}')
            return vectors
        report_progress(f'document vectors left out: {losses}')
        return None

    def _store(self, keys: npt.NDArray[np.int64], terms: list[Floats], bias: float) -> None:
        if not len(keys):
            # TensorFlow refuses a table without entries. No text has this key.
            keys = np.array([-1], np.int64)
            terms = [np.zeros(1, np.float32)] * len(terms)
        values = np.stack(terms, axis=1).astype(np.float32)
        self.built = True
        # Per n-gram, its addends in the numerator and in the square of the denominator; with
        # document vectors, those of a second quotient.
        self.terms = self._add_constant(values, 'terms')
        self.bias = self._add_constant(np.array(bias, np.float32), 'bias')
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, np.arange(len(keys), dtype=np.int64)),
            default_value=-1,
        )

    def _add_constant(self, value: Floats, name: str) -> keras.Variable:
        weight = self.add_weight(value.shape, initializer='zeros', trainable=False, name=name)
        weight.assign(value)
        return weight

    def call(self, tokens: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Return float32 logits `[batch, 1]` of int32 `[batch, (tokens)]`, see `as_ragged`."""
        tokens = as_ragged(tokens)
        size = tf.shape(self.terms, tf.int64)[0]
        # An n-gram counts once, however often it occurs in the text. It has one length, and
        # smaller sets are faster.
        present = tf.concat([tf.unique(cells)[0] for cells, _ in self._find(tokens)], 0)
        terms = tf.gather(tf.convert_to_tensor(self.terms), present % size)
        sums = tf.math.unsorted_segment_sum(terms, present // size, tokens.nrows())
        quotients = tf.math.divide_no_nan(sums[:, ::2], tf.sqrt(sums[:, 1::2]))
        return tf.reduce_sum(quotients, axis=1, keepdims=True) + self.bias

    def explain(self, tokens: tf.RaggedTensor) -> Contributions:
        """Split the logits of int32 `[batch, (tokens)]` into a contribution of each n-gram.

        The position of an n-gram is that of its first occurrence.
        """
        found = self._find(tokens)
        size = tf.shape(self.terms, tf.int64)[0]
        cells = tf.concat([cells for cells, _ in found], 0)
        positions = tf.concat([tf.where(known)[:, 0] for _, known in found], 0)
        lengths = tf.concat(
            [tf.fill(tf.shape(cells), length) for length, (cells, _) in enumerate(found, 1)], 0
        )
        present, which = tf.unique(cells, tf.int64)
        first = tf.math.unsorted_segment_min(tf.range(tf.size(cells)), which, tf.size(present))
        rows = present // size
        start = tf.gather(positions, first) - tf.gather(tokens.row_starts(), rows)
        length = tf.gather(lengths, first)
        terms = tf.gather(tf.convert_to_tensor(self.terms), present % size)
        squares = tf.math.unsorted_segment_sum(terms[:, 1::2], rows, tokens.nrows())
        quotients = tf.math.divide_no_nan(terms[:, ::2], tf.sqrt(tf.gather(squares, rows)))
        values = tf.reduce_sum(quotients, axis=1)
        bias = tf.fill([tokens.nrows()], tf.convert_to_tensor(self.bias))
        return Contributions(rows, places(start, length), values, bias)

    def _find(self, tokens: tf.RaggedTensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Find the n-grams with weights.

        Returns:
            By length: row * size + index of each n-gram, and a mask of the positions where they
            start, see `ngram_candidates`.
        """
        size = tf.shape(self.terms, tf.int64)[0]
        found = []
        for length in range(1, self._settings.max_ngram + 1):
            keys, rows, whole = ngram_candidates(tokens, length)
            indices = self._table.lookup(keys)
            known = whole & (indices >= 0)
            found.append((tf.boolean_mask(rows * size + indices, known), known))
        return found
