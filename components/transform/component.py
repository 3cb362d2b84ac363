"""The Transform node: computes the vocabulary and the graph that applies it."""

from __future__ import annotations

from typing import Any

from tfx.components import Transform
from tfx.dsl.components.base import executor_spec
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from components.common import features
from components.common.settings import Executors, TextSettings
from components.transform.executor import Executor, StockExecutor
from components.transform.preprocessing import SETTINGS_KEY, preprocessing_fn
from components.user_module.source import MODULE_KEY
from components.user_module.transform import CONFIG_KEY
from components.user_module.transform import preprocessing_fn as user_preprocessing_fn


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
    module: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    materialize: bool = False,
) -> Transform:
    """Make the node that computes the vocabulary from the training split alone.

    Args:
        examples: Raw examples.
        schema: Their schema.
        text: How a text becomes token ids.
        executors: Whose executor runs.
        module: How to find the user's module whose `preprocessing_fn` is used.
        config: For that function, in addition to `text`.
        materialize: Whether transformed examples of all splits are written. The
            project's own models do not read them: TensorFlow applies the graph to
            a thousand texts in a fifth of a second.
    """
    function, custom_config = preprocessing_fn, {SETTINGS_KEY: text.model_dump()}
    if module is not None:
        function = user_preprocessing_fn
        custom_config = {MODULE_KEY: module, CONFIG_KEY: {**custom_config, **(config or {})}}
    node_class = StockTransform if executors == 'stock' else VocabularyTransform
    return node_class(
        examples=examples,
        schema=schema,
        preprocessing_fn=f'{function.__module__}.{function.__name__}',
        custom_config=custom_config,
        splits_config=transform_pb2.SplitsConfig(
            analyze=[features.TRAIN_SPLIT], transform=features.SPLITS if materialize else []
        ),
        materialize=materialize,
        disable_analyzer_cache=True,
        disable_statistics=True,
    ).with_id('Transform')
