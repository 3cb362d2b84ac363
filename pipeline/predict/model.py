"""Loads a pushed model, and calls its signatures."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from components.common import features
from components.common.decision_threshold import read_threshold
from components.common.errors import DataError
from components.common.explanations import parts_by_text
from components.readers.feature_columns import FeatureColumn, parse_features
from components.readers.records import Value
from pipeline.models import versions
from pipeline.process.imports import no_collection, no_keras

# Explanations take much memory: each n-gram of a text is a part.
_EXPLAINED_AT_ONCE = 100


class Score(NamedTuple):
    """The score of a text.

    Attributes:
        label: Name of the positive label if the probability is above the decision threshold,
            otherwise of the negative one.
        probability: Probability of the positive label, in [0, 1]: the shortest
            decimal number that is equal as float32.
    """

    label: str
    probability: str


class Explanation(NamedTuple):
    """The contributions of n-grams to the logit of a text.

    Attributes:
        bias: The logit of an empty text.
        parts: N-grams and their contributions, the largest first. With the bias,
            they add up to the logit.
    """

    bias: float
    parts: tuple[tuple[str, float], ...]


def live_model(serving_dir: pathlib.Path) -> pathlib.Path:
    """Return the folder of the live version.

    Raises:
        DataError: If no version was pushed.
    """
    live = versions.live_version(serving_dir)
    if live is None:
        raise DataError(
            f'no model was pushed to {serving_dir}',
            hint='train one (pipeline_runner.py run), or pass its --root and --name',
        )
    return live


class PushedModel:
    """A pushed version, loaded; thread-safe.

    Attributes:
        labels: Names of the negative and of the positive label.
        threshold: The decision threshold, in (0, 1).
        columns: The columns of a table that it reads beside the text.

    >>> PushedModel(pathlib.Path('serving/1764000000')).score(['Fine.'])  # doctest: +SKIP
    [Score(label='positive', probability='0.91')]

    Raises:
        DataError: If it cannot be loaded.
    """

    def __init__(self, model_dir: pathlib.Path) -> None:
        with no_collection(), no_keras():
            import tensorflow as tf

        self._dir = model_dir
        try:
            # A signature does not keep the variables of its model alive.
            self._model: Any = tf.saved_model.load(str(model_dir))
            signatures = self._model.signatures
            # A user's model may lack the signature for texts.
            self._takes_texts = features.TEXT_SIGNATURE in signatures
            name = features.TEXT_SIGNATURE if self._takes_texts else features.EXAMPLES_SIGNATURE
            self._score = signatures[name]
            extra = model_dir / 'assets.extra' / features.LABELS_ASSET
            negative, positive = json.loads(extra.read_text(encoding='utf-8'))
            self.threshold = read_threshold(str(model_dir))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
            raise DataError(
                f'the model in {model_dir} cannot be loaded: {" ".join(str(err).split())[:300]}',
                hint='it is damaged: remove the folder, so that the version before it is live',
            ) from err
        self.labels: tuple[str, str] = (negative, positive)
        self.columns = [] if self._takes_texts else _feature_columns(model_dir)

    def score(
        self, texts: Sequence[str], values: Sequence[Sequence[Value | None]] | None = None
    ) -> list[Score]:
        """Score a batch of texts.

        Args:
            texts: The texts.
            values: For each text, the values of the model's `columns`; None if the texts
                have none.
        """
        if self._takes_texts:
            outputs = self._call(self._score, texts)
        else:
            from components.example_gen.examples import Serializer

            serializer = Serializer(self.columns)
            columns = values or [()] * len(texts)
            examples = [serializer.serialize(text, None, row) for text, row in zip(texts, columns)]
            outputs = self._call(self._score, examples, features.EXAMPLES_INPUT)
        scores = outputs[features.PROBABILITY_KEY].numpy()
        # As Python numbers: NumPy would round the threshold to float32.
        positive = [value > self.threshold for value in scores.tolist()]
        return [Score(self.labels[is_one], str(score)) for is_one, score in zip(positive, scores)]

    def require_explanations(self) -> None:
        """Check that the model can explain scores.

        Raises:
            DataError: If it is a user's model, or an older version of the pipeline pushed it.
        """
        if features.EXPLAIN_SIGNATURE not in self._model.signatures:
            raise DataError(
                f'the model in {self._dir} has no signature {features.EXPLAIN_SIGNATURE!r}: a '
                'module of yours made it, or an older version of the pipeline pushed it',
                hint='leave out --explain, or train a model of this project',
            )

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Explain the scores of a batch of texts."""
        explanations: list[Explanation] = []
        for start in range(0, len(texts), _EXPLAINED_AT_ONCE):
            batch = texts[start : start + _EXPLAINED_AT_ONCE]
            answer = self._call(self._model.signatures[features.EXPLAIN_SIGNATURE], batch)
            parts = parts_by_text(answer, len(batch))
            biases = answer[features.BIAS_KEY].numpy().tolist()
            explanations += [Explanation(bias, tuple(of)) for bias, of in zip(biases, parts)]
        return explanations

    def _call(
        self, signature: Any, batch: Iterable[str | bytes], name: str = features.TEXT_INPUT
    ) -> Any:
        import tensorflow as tf

        try:
            return signature(**{name: tf.constant(list(batch), tf.string)})
        except (tf.errors.OpError, TypeError) as err:
            reason = ' '.join(str(err).partition('Traceback')[0].split())[:300]
            raise DataError(
                f'the model in {self._dir} cannot score texts: {reason}',
                hint='it is damaged: remove the folder, so that the version before it is live',
            ) from err


def _feature_columns(model_dir: pathlib.Path) -> list[FeatureColumn]:
    path = model_dir / 'assets.extra' / features.SETTINGS_ASSET
    try:
        settings = json.loads(path.read_text(encoding='utf-8'))
        return parse_features(settings.get(features.COLUMNS_KEY, ()))
    except (OSError, ValueError, AttributeError):
        return []  # a model of another program
