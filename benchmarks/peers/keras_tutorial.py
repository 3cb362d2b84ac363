"""The TensorFlow tutorial "Basic text classification" as a plain Keras 3 script."""

from __future__ import annotations

import os
import pathlib
import string
import tempfile
from typing import Any

import keras
import tensorflow as tf

from benchmarks.peers import PeerTask
from benchmarks.reviews import NAMES, read_reviews

_MODEL_FILE = 'model.keras'

_WORDS = 10_000
_LENGTH_TOKENS = 250
_EPOCHS = 10


@keras.saving.register_keras_serializable('benchmarks')
def standardize(texts: Any) -> Any:
    """Lower-case texts, tf.string of any shape; drop line breaks and punctuation."""
    spaced = tf.strings.regex_replace(tf.strings.lower(texts), '<br />', ' ')
    return tf.strings.regex_replace(
        spaced, '[' + ''.join(map('\\{}'.format, string.punctuation)) + ']', ''
    )


def train(task: PeerTask) -> tuple[list[int], Any]:
    keras.utils.set_random_seed(task.seed)
    with tempfile.TemporaryDirectory() as folder:
        _unpack(task.archive, folder)
        train, val = (_read(folder, 'train', subset) for subset in ('training', 'validation'))
        test = _read(folder, 'test')
        labels = [int(label) for _, batch in test for label in batch.numpy()]

        vectorize = keras.layers.TextVectorization(
            standardize=standardize, max_tokens=_WORDS, output_sequence_length=_LENGTH_TOKENS
        )
        vectorize.adapt(train.map(lambda texts, _: texts))
        train, val, test = (
            split.map(lambda texts, targets: (vectorize(texts), targets))
            .cache()
            .prefetch(tf.data.AUTOTUNE)
            for split in (train, val, test)
        )
        model = keras.Sequential(
            [
                keras.layers.Embedding(_WORDS, 16),
                keras.layers.Dropout(0.2),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(1),
            ]
        )
        model.compile(
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            optimizer='adam',
            metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        )
        model.fit(train, validation_data=val, epochs=_EPOCHS, verbose=0)
        logits = model.predict(test, verbose=0)
    whole = keras.Sequential([vectorize, model, keras.layers.Activation('sigmoid')])
    whole(tf.constant(['a text']))
    whole.save(task.model_dir / _MODEL_FILE)
    return labels, tf.sigmoid(logits[:, 0]).numpy()


def load(model_dir: pathlib.Path) -> Any:
    model = keras.saving.load_model(model_dir / _MODEL_FILE)
    return lambda texts: model.predict_on_batch(tf.constant(texts))


def _unpack(archive: str, folder: str) -> None:
    # The tutorial deletes the unlabelled reviews; not unpacking them is quicker still.
    for number, (split, label, text) in enumerate(read_reviews(archive)):
        path = pathlib.Path(folder, split, NAMES[label], f'{number:05}.txt')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8', newline='')


def _read(folder: str, split: str, subset: str | None = None) -> Any:
    return keras.utils.text_dataset_from_directory(
        os.path.join(folder, split),
        batch_size=32,
        validation_split=0.2 if subset else None,
        subset=subset,
        seed=42,
        shuffle=subset is not None,
        verbose=False,
    )
