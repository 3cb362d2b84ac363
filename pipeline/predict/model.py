"""A pushed model, as a client sees it: its signatures and its labels."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from components.common import features
from components.common.errors import DataError
from components.common.explanations import parts_by_text
from pipeline.models import versions

# A text is explained by many parts, and each pattern is sought in it anew.
_EXPLAINED_AT_ONCE = 100


class Score(NamedTuple):
    """What the model says of a text.

    Attributes:
        label: Name of the likelier label.
        probability: Of the positive label, in [0, 1]: the shortest decimal that
            is this float32.
    """

    label: str
    probability: str


class Explanation(NamedTuple):
    """What moved the logit of a text.

    Attributes:
        bias: The logit of a text without a word.
        parts: N-grams and what each adds to the logit, the strongest first.
            With the bias, they add up to the logit.
    """

    bias: float
    parts: tuple[tuple[str, float], ...]


def live_model(serving_dir: pathlib.Path) -> pathlib.Path:
    """Return the version pushed last.

    Raises:
        DataError: If nothing was pushed.
    """
    live = versions.live_version(serving_dir)
    if live is None:
        raise DataError(
            f'no model was pushed to {serving_dir}',
            hint='train one (pipeline_runner.py run), or name its --root and --name',
        )
    return live


class PushedModel:
    """A pushed version, loaded. May be called from several threads.

    Args:
        model_dir: Its folder.

    Raises:
        DataError: If it cannot be loaded.
    """

    def __init__(self, model_dir: pathlib.Path) -> None:
        import tensorflow as tf

        self._dir = model_dir
        try:
            # A signature does not keep the variables of its model alive.
            self._model: Any = tf.saved_model.load(str(model_dir))
            self._score = self._model.signatures[features.TEXT_SIGNATURE]
            extra = model_dir / 'assets.extra' / features.LABELS_ASSET
            negative, positive = json.loads(extra.read_text(encoding='utf-8'))
        except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
            raise DataError(
                f'the model in {model_dir} cannot be loaded: {" ".join(str(err).split())[:300]}',
                hint='it is damaged: remove the folder, and the version before it is live',
            ) from err
        self.labels: tuple[str, str] = (negative, positive)

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Score a batch of texts."""
        values = self._call(self._score, texts)[features.PROBABILITY_KEY].numpy()
        return [Score(self.labels[int(value > 0.5)], str(value)) for value in values]

    def require_explanations(self) -> None:
        """Check that the model can tell what moved a score.

        Raises:
            DataError: If it was pushed before models could.
        """
        if features.EXPLAIN_SIGNATURE not in self._model.signatures:
            raise DataError(
                f'the model in {self._dir} has no signature {features.EXPLAIN_SIGNATURE!r}: '
                'an older version of the pipeline pushed it',
                hint='run the pipeline again, or leave out --explain',
            )

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Tell what moved the score of each text of a batch."""
        explanations: list[Explanation] = []
        for start in range(0, len(texts), _EXPLAINED_AT_ONCE):
            batch = texts[start : start + _EXPLAINED_AT_ONCE]
            answer = self._call(self._model.signatures[features.EXPLAIN_SIGNATURE], batch)
            parts = parts_by_text(answer, len(batch))
            biases = answer[features.BIAS_KEY].numpy().tolist()
            explanations += [Explanation(bias, tuple(of)) for bias, of in zip(biases, parts)]
        return explanations

    def _call(self, signature: Any, texts: Sequence[str]) -> Any:
        import tensorflow as tf

        try:
            return signature(**{features.TEXT_INPUT: tf.constant(list(texts), tf.string)})
        except (tf.errors.OpError, TypeError) as err:
            told = ' '.join(str(err).partition('Traceback')[0].split())[:300]
            raise DataError(
                f'the model in {self._dir} does not score: {told}',
                hint='it is damaged, or no model of this pipeline: remove the folder, and the '
                'version before it is live',
            ) from err
