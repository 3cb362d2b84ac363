"""Compares settings on the training reviews of held-out films.

Reviews of one film share names and phrases: accuracy on held-out reviews of films in
the training data is half a point too high. The official test split shares no film
with the training split. The test split is not read here.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.common import features
from components.common.settings import TextSettings
from components.common.word_counts import WordCounts
from components.trainer.dataset import LabelledTokens, LoadedExamples
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models import load_architecture
from components.trainer.settings import TrainerSettings
from components.transform.text import tokenize
from components.transform.vocabulary import Vocabulary, words_to_keep
from pipeline.settings.presets import PRESETS

FOLDS = 5

# Preset and changed settings, by name.
VARIANTS: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    'ngram': ('ngram', {}),
    'ngram, punctuation dropped': ('ngram', {'text': {'punctuation': 'drop'}}),
    'ngram, single words': ('ngram', {'model': {'max_ngram': 1}}),
    'ngram, up to bigrams': ('ngram', {'model': {'max_ngram': 2}}),
    'ngram, in 3 texts or more': ('ngram', {'model': {'min_ngram_documents': 3}}),
    'ngram, labelled texts only': ('ngram', {'model': {'unlabelled_weight': 0.0}}),
    'ngram, unlabelled weigh 0.25': ('ngram', {'model': {'unlabelled_weight': 0.25}}),
    'ngram, unlabelled weigh 1': ('ngram', {'model': {'unlabelled_weight': 1.0}}),
    'ngram, C = 0.5': ('ngram', {'model': {'svm_cost': 0.5}}),
    'ngram, C = 2': ('ngram', {'model': {'svm_cost': 2.0}}),
    'accurate': ('accurate', {}),
    'accurate, labelled texts only': ('accurate', {'model': {'unlabelled_weight': 0.0}}),
    'accurate, 96 dimensions': ('accurate', {'model': {'dimensions': 96}}),
    'accurate, 192 dimensions': ('accurate', {'model': {'dimensions': 192}}),
}


class Films(NamedTuple):
    """The training reviews.

    Attributes:
        texts: The labelled texts.
        unlabelled: Texts without a label.
        labels: 1 for positive, 0 for negative.
        folds: Fold of the film, from 0 to FOLDS - 1.
    """

    texts: list[str]
    unlabelled: list[str]
    labels: list[int]
    folds: list[int]


def read_films(archive: pathlib.Path) -> Films:
    """Read the training reviews and the fold of the film of each."""
    texts: dict[tuple[str, int], str] = {}
    films: dict[str, list[str]] = {}
    unlabelled: list[str] = []
    with tarfile.open(archive, mode='r|*') as members:
        for member in members:
            review = re.search(r'train/(pos|neg)/(\d+)_\d+\.txt$', member.name)
            urls = re.search(r'train/urls_(pos|neg)\.txt$', member.name)
            further = re.search(r'train/unsup/\d+_\d+\.txt$', member.name)
            content = members.extractfile(member) if review or urls or further else None
            if review and content:
                texts[review[1], int(review[2])] = content.read().decode('utf-8')
            elif further and content:
                unlabelled.append(content.read().decode('utf-8'))
            elif urls and content:
                # Line n names the film of review n.
                films[urls[1]] = re.findall(r'tt\d+', content.read().decode('utf-8'))
    keys = sorted(texts)
    return Films(
        [texts[key] for key in keys],
        unlabelled,
        [int(label == 'pos') for label, _ in keys],
        [fold_of(films[label][number].encode()) for label, number in keys],
    )


def fold_of(key: bytes) -> int:
    """Return the fold of all texts that have a key in common."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), 'big') % FOLDS


def compare(
    films: Films, names: Sequence[str], folds: Sequence[int]
) -> Iterator[tuple[str, float, float]]:
    """Train each variant without one fold, and evaluate it on that fold, for each fold.

    Yields:
        Name, mean accuracy and mean loss over the folds of each variant.
    """
    for name in names:
        preset, changes = VARIANTS[name]
        text, trainer = settings_of(preset, changes)
        histories = []
        for fold in folds:
            held_out = np.array(films.folds) == fold
            trained, _ = learn(films, text, trainer, held_out)
            histories.append(trained.history)
        accuracy, loss = (
            float(np.mean([history[metric][-1] for history in histories]))
            for metric in ('val_binary_accuracy', 'val_loss')
        )
        yield name, accuracy, loss


def settings_of(
    preset: str, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[TextSettings, TrainerSettings]:
    """Return the settings of a preset, without learning from reviews held out.

    Args:
        preset: Name of the preset.
        changes: Further settings of `text` and of the trainer's `model`.
    """
    changes = changes or {}
    text = {**PRESETS[preset]['text'], **changes.get('text', {})}
    model = {**PRESETS[preset]['trainer']['model'], **changes.get('model', {})}
    if model['architecture'] != 'tutorial':
        model['fit_to_val'] = False
    return (
        TextSettings.model_validate(text),
        TrainerSettings.model_validate({'model': model}),
    )


def learn(
    films: Films,
    text: TextSettings,
    trainer: TrainerSettings,
    held_out: np.ndarray[Any, np.dtype[np.bool_]],
) -> tuple[TrainedModel, LabelledTokens]:
    """Train on the reviews that are not held out.

    Args:
        films: The reviews.
        text: Text settings.
        trainer: The model; `fit_to_val` must be off, or it learns from all.
        held_out: bool `[reviews]`.

    Returns:
        The trained model, and the held-out reviews.
    """
    train, val, further = tokens_of(films, text, held_out)
    examples = LoadedExamples(
        {
            features.TRAIN_SPLIT: train,
            features.VAL_SPLIT: val,
            features.UNLABELLED_SPLIT: further,
        }
    )
    keras.utils.set_random_seed(trainer.seed)
    with tempfile.TemporaryDirectory() as folder:
        job = TrainingJob(examples, trainer, text, folder)
        return load_architecture(trainer.model.architecture)(job), val


def tokens_of(
    films: Films, text: TextSettings, held_out: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[LabelledTokens, LabelledTokens, LabelledTokens]:
    """Turn reviews into ids with the vocabulary of those that are not held out.

    Returns:
        The training, held-out and unlabelled reviews.
    """
    words = tokenize(tf.constant(films.texts), text.punctuation)
    learned = tf.ragged.boolean_mask(words, ~held_out).values.numpy()
    counts = pa.array(learned, pa.large_binary()).value_counts()
    vocabulary = words_to_keep(
        WordCounts(counts.field(0), counts.field(1).to_numpy()),
        Vocabulary(
            name=features.VOCABULARY_NAME,
            top_k=text.vocab_size - features.RESERVED_IDS,
            min_count=text.min_word_count,
        ),
    ).words.to_pylist()
    # Gives the same ids as the pipeline: 0 for padding, and 1 for other words.
    lookup = keras.layers.StringLookup(vocabulary=vocabulary, mask_token='')

    def tokens(words: tf.RaggedTensor, labels: Any) -> LabelledTokens:
        ids = words.with_values(tf.cast(lookup(words.values), tf.int32))[:, : text.max_tokens]
        return LabelledTokens(ids.values.numpy(), ids.row_splits.numpy(), labels)

    labels = np.array(films.labels, np.float32)[:, np.newaxis]
    unlabelled = tokenize(tf.constant(films.unlabelled, tf.string), text.punctuation)
    return (
        tokens(tf.ragged.boolean_mask(words, ~held_out), labels[~held_out]),
        tokens(tf.ragged.boolean_mask(words, held_out), labels[held_out]),
        tokens(unlabelled, np.full([len(films.unlabelled), 1], np.nan, np.float32)),
    )
