"""The Transform node: computes the vocabulary and the graph that applies it."""

from __future__ import annotations

from tfx.components import Transform
from tfx.dsl.components.base import executor_spec
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from components.common import features
from components.common.settings import Executors, TextSettings
from components.transform.executor import Executor, StockExecutor
from components.transform.preprocessing import SETTINGS_KEY, preprocessing_fn


class VocabularyTransform(Transform):
    """TFX's Transform with the executor that counts words file by file."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


class StockTransform(Transform):
    """TFX's Transform, which also counts the examples."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StockExecutor)


def make_transform(
    examples: BaseChannel,
    schema: BaseChannel,
    text: TextSettings,
    executors: Executors = 'fast',
    *,
    materialize: bool = False,
) -> Transform:
    """Make the node that computes the vocabulary from the training split alone.

    Args:
        examples: Raw examples.
        schema: Their schema.
        text: How a text becomes token ids.
        executors: Whose executor runs.
        materialize: Whether transformed examples of all splits are written. The
            project's own models do not read them: TensorFlow applies the graph to
            a thousand texts in a fifth of a second.
    """
    node_class = StockTransform if executors == 'stock' else VocabularyTransform
    return node_class(
        examples=examples,
        schema=schema,
        preprocessing_fn=f'{preprocessing_fn.__module__}.{preprocessing_fn.__name__}',
        custom_config={SETTINGS_KEY: text.model_dump()},
        splits_config=transform_pb2.SplitsConfig(
            analyze=[features.TRAIN_SPLIT], transform=features.SPLITS if materialize else []
        ),
        materialize=materialize,
        disable_analyzer_cache=True,
        disable_statistics=True,
    ).with_id('Transform')
