"""The TensorFlow tutorial "Basic text classification" as a plain Keras 3 script."""

from __future__ import annotations

import argparse
import os
import pathlib
import string
import tarfile
import tempfile
from typing import Any

import keras
import tensorflow as tf

from benchmarks.peers.report import parse, report
from benchmarks.reviews import NAMES, member_labels

MODEL_FILE = 'model.keras'

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


def main() -> None:
    arguments = parse(argparse.ArgumentParser())
    keras.utils.set_random_seed(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        _unpack(arguments.archive, folder)
        data = os.path.join(folder, 'aclImdb')
        train, val = (_read(data, 'train', subset=subset) for subset in ('training', 'validation'))
        test = _read(data, 'test')
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
    whole.save(arguments.model_dir / MODEL_FILE)
    report(labels, tf.sigmoid(logits[:, 0]).numpy(), arguments.model_dir)


def _unpack(archive: str, folder: str) -> None:
    # The tutorial deletes the unlabelled reviews; not unpacking them is quicker still.
    with tarfile.open(archive, mode='r|*') as members:
        for member in members:
            found = member_labels(member.name)
            content = members.extractfile(member) if found and member.isfile() else None
            if found and content is not None:
                split, label = found
                path = pathlib.Path(folder, 'aclImdb', split, NAMES[label])
                path.mkdir(parents=True, exist_ok=True)
                (path / pathlib.PurePosixPath(member.name).name).write_bytes(content.read())


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


if __name__ == '__main__':
    main()
