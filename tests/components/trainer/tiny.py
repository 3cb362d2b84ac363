"""A small data set, its transform graph, and a model that is trained on it and exported."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import random
import shutil
from typing import Any

import apache_beam as beam
import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.common import features
from components.common.settings import TextSettings
from components.example_gen.summary import ExamplesSummary
from components.schema.component import CURATED_SCHEMA
from components.trainer.dataset import (
    LabelledTokens,
    LoadedExamples,
    StoredExamples,
    read_split,
)
from components.trainer.fitting import TrainedModel, TrainingJob
from components.trainer.models import load_architecture
from components.trainer.models.tutorial.model import Padded, build_network
from components.trainer.models.tutorial.settings import TutorialSettings
from components.trainer.serving import ServingModel, TransformGraph, export
from components.transform.preprocessing import SETTINGS_KEY, preprocessing_fn
from components.transform.tracing import TracedFunction, trace
from components.transform.vocabulary import WriteVocabularies, WrittenVocabulary
from tests.components.trainer.settings import trainer_settings
from tests.conftest import LOCAL_BEAM_ARGS

TEXT = TextSettings(vocab_size=30, max_tokens=40)
# Settings of the tutorial's model.
MODEL = {'epochs': 4, 'batch_size': 8, 'learning_rate': 0.05, 'embedding_dim': 4}
LABELS = ('dull', 'great')
KEYS = {'loss', 'binary_accuracy', 'val_loss', 'val_binary_accuracy'}
COUNTS = {features.TRAIN_SPLIT: 120, features.VAL_SPLIT: 40, features.TEST_SPLIT: 60}
WORDS = (['bad', 'dull', 'awful', 'worst'], ['good', 'great', 'superb', 'best'])
NEUTRAL = [f'word{number}' for number in range(30)]

Review = tuple[str, int]


def make_reviews(count: int, seed: int, wrong: float = 0) -> list[Review]:
    """Make reviews whose words indicate their label, except for the share `wrong` of them."""
    rng = random.Random(seed)
    reviews = []
    for number in range(count):
        label = number % 2
        words = [
            rng.choice(WORDS[label] if rng.random() < 0.4 else NEUTRAL)
            for _ in range(rng.choice([5, 30, 80, 150]))
        ]
        reviews.append((' '.join(words), label ^ int(rng.random() < wrong)))
    return reviews


def make_example(text: str, label: int) -> bytes:
    """Serialize an example as ExampleGen does."""
    example = tf.train.Example()
    feature = example.features.feature
    feature['text'].bytes_list.value.append(text.encode())
    feature['label'].int64_list.value.append(label)
    feature['length'].bytes_list.value.append(features.length_bucket(len(text.split())).encode())
    return example.SerializeToString()


def write_split(folder: pathlib.Path, shards: list[list[Review]]) -> None:
    """Write a split as one file per shard."""
    folder.mkdir(parents=True)
    for number, reviews in enumerate(shards):
        path = folder / f'data_tfrecord-{number:05}-of-{len(shards):05}.gz'
        with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
            for review in reviews:
                writer.write(make_example(*review))


def write_summary(examples: pathlib.Path, splits: dict[str, tuple[int, int]]) -> None:
    """Write the summary that ExampleGen writes."""
    ExamplesSummary(splits=splits, labels=LABELS, rejected={}).write(str(examples))


def damage_shard(split: pathlib.Path, how: str) -> None:
    """Damage the first file of a split: `dropped`, `duplicated` or `truncated` by one record."""
    first = min(split.iterdir())
    if how == 'duplicated':
        shutil.copyfile(first, split / f'copy-{first.name}')
        return
    records = list(tf.data.TFRecordDataset(str(first), 'GZIP').as_numpy_iterator())
    first.unlink()
    if how == 'truncated':
        with tf.io.TFRecordWriter(str(first), 'GZIP') as writer:
            for record in records[:-1]:
                writer.write(record)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tiny:
    """The data set.

    Attributes:
        reviews: The reviews of each split.
        examples: The folder of ExampleGen's artifact.
        transform_graph: The folder of Transform's artifact.
    """

    reviews: dict[str, list[Review]]
    examples: pathlib.Path
    transform_graph: pathlib.Path

    def pattern(self, split: str) -> str:
        """Return the pattern of a split's files."""
        return f'{self.examples}/Split-{split}/*'

    def load_transform(self) -> TransformGraph:
        """Load the transform graph."""
        return load_transform(self.transform_graph)


def copy_damaged(tiny: Tiny, folder: pathlib.Path, split: str, how: str) -> tuple[Tiny, int]:
    """Copy the examples and damage a split; return the copy and the examples left in the split."""
    copy = dataclasses.replace(tiny, examples=folder / 'examples')
    shutil.copytree(tiny.examples, copy.examples)
    damage_shard(copy.examples / f'Split-{split}', how)
    count = COUNTS[split]
    left = {'dropped': count // 2, 'truncated': count - 1, 'duplicated': count * 3 // 2}
    return copy, left[how]


@functools.cache
def make_tiny(base: pathlib.Path) -> Tiny:
    """Write examples and transform graph below `base`, once per session."""
    folder = base / 'tiny'
    reviews = {
        split: make_reviews(count, seed, wrong=0.2 if split == features.TEST_SPLIT else 0)
        for seed, (split, count) in enumerate(COUNTS.items())
    }
    examples, transform_graph = folder / 'examples', folder / 'transform_graph'
    for split, of_split in reviews.items():
        write_split(examples / f'Split-{split}', [of_split[::2], of_split[1::2]])
    write_summary(examples, {split: (count // 2, count // 2) for split, count in COUNTS.items()})

    write_transform_graph(examples, TEXT, transform_graph)
    return Tiny(reviews=reviews, examples=examples, transform_graph=transform_graph)


def trace_project(text: TextSettings, temp_dir: pathlib.Path) -> TracedFunction:
    """Trace the project's preprocessing_fn."""
    schema = text_format.Parse(CURATED_SCHEMA.read_text(), schema_pb2.Schema())
    config = {SETTINGS_KEY: text.model_dump()}
    return trace(functools.partial(preprocessing_fn, custom_config=config), schema, str(temp_dir))


def write_transform_graph(
    examples: pathlib.Path, text: TextSettings, transform_graph: pathlib.Path
) -> None:
    """Write the transform graph of the training split."""
    temp_dir = transform_graph.parent / 'temp'
    traced = trace_project(text, temp_dir)
    assert traced.word_graph is not None
    files = [str(path) for path in sorted(examples.glob('Split-train/*'))]
    (vocabulary,) = traced.vocabularies.values()
    path = str(temp_dir / vocabulary.name)
    with beam.Pipeline(options=PipelineOptions(LOCAL_BEAM_ARGS)) as pipeline:
        write = WriteVocabularies(traced.word_graph, {path: vocabulary})
        _ = pipeline | beam.Create(files) | write
    written = {vocabulary.name: WrittenVocabulary.read(path)}
    traced.write(str(transform_graph), str(temp_dir), written)
    shutil.rmtree(temp_dir)


def loaded(
    train: LabelledTokens, val: LabelledTokens, unlabelled: LabelledTokens | None = None
) -> LoadedExamples:
    """Return examples in memory."""
    splits = {features.TRAIN_SPLIT: train, features.VAL_SPLIT: val}
    return LoadedExamples(
        splits if unlabelled is None else {**splits, features.UNLABELLED_SPLIT: unlabelled}
    )


def load_transform(transform_graph: pathlib.Path) -> TransformGraph:
    """Load a transform graph."""
    return TransformGraph(tft.TFTransformOutput(str(transform_graph)))


def train_stored(
    architecture: str,
    examples: pathlib.Path,
    transform_graph: pathlib.Path,
    logs: pathlib.Path,
    text: TextSettings = TEXT,
    **settings: Any,
) -> TrainedModel:
    """Train on the examples of an artifact as `run_fn` does."""
    chosen = trainer_settings(architecture, **settings)
    keras.utils.set_random_seed(chosen.seed)
    stored = StoredExamples(str(examples), load_transform(transform_graph))
    return load_architecture(architecture)(TrainingJob(stored, chosen, text, str(logs)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exported:
    """A model, in memory and exported; its inputs are deleted.

    Attributes:
        model: The fitted model, which reads ragged tokens; its `network` reads padded ones.
        transform: The graph that makes the model's input.
        test: The transformed test split.
        history: The training history.
        logs: The folder of TensorBoard's files.
        serving: The exported folder.
    """

    model: keras.Model
    transform: TransformGraph
    test: LabelledTokens
    history: dict[str, list[float]]
    logs: pathlib.Path
    serving: pathlib.Path

    def probabilities(self, texts: list[str]) -> list[float]:
        """Score texts with a direct call of the Keras model."""
        logits = self.model(self.transform(tf.constant(texts)), training=False)
        return [float(value) for value in tf.sigmoid(logits)[:, 0]]


@functools.cache
def make_exported(base: pathlib.Path) -> Exported:
    """Fit and export once per session, then delete everything but the exported folder."""
    tiny = make_tiny(base)
    folder = base / 'work'
    graph = shutil.copytree(tiny.transform_graph, folder / 'transform_graph')
    logs = base / 'logs'
    model, history, _ = train_stored('tutorial', tiny.examples, graph, logs, **MODEL)
    transform = load_transform(graph)
    test = read_split(tiny.pattern(features.TEST_SPLIT), transform)
    export(ServingModel(model, transform, TEXT), LABELS, str(folder / 'exported'))
    serving = (folder / 'exported').rename(base / 'moved')
    shutil.rmtree(folder)
    return Exported(
        model=model,
        transform=transform,
        test=test,
        history=history,
        logs=logs,
        serving=serving,
    )


def build() -> keras.Model:
    """Build a model of ragged tokens with fresh weights."""
    return Padded(build_network(TutorialSettings.model_validate(MODEL), TEXT), TEXT.max_tokens)


def build_nan() -> keras.Model:
    """Build a model whose weights are all NaN."""
    model = build()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    return model


def shift_bias(model: keras.Model, change: float) -> keras.Model:
    """Build a model with the weights of another one and a changed bias."""
    shifted = build()
    *others, bias = model.get_weights()
    shifted.set_weights([*others, bias + change])
    return shifted


def export_model(model: keras.Model, tiny: Tiny, folder: pathlib.Path) -> None:
    """Export a model with the transform graph and labels of the data set."""
    export(ServingModel(model, tiny.load_transform(), TEXT), LABELS, str(folder))
