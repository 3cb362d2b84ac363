"""The pipeline: which nodes there are, and what flows between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.types import BaseChannel

from components.common.errors import ConfigError
from components.common.fingerprint import code_fingerprint
from components.evaluator.component import make_evaluator
from components.example_gen.component import make_example_gen
from components.example_gen.sources import DataSource
from components.example_validator.component import make_example_validator
from components.pusher.component import make_pusher
from components.schema.component import CURATED_SCHEMA, make_schema_gen
from components.served_baseline.component import (
    make_baseline_resolver,
    make_latest_blessed_resolver,
    make_served_baseline,
)
from components.statistics_gen.component import make_statistics_gen
from components.trainer.component import make_trainer
from components.transform.component import make_transform
from pipeline.beam.arguments import beam_args
from pipeline.settings.config import PipelineConfig


def create_pipeline(
    config: PipelineConfig,
    source: DataSource,
    *,
    target: Literal['local', 'vertex', 'kubeflow'] = 'local',
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Pipeline:
    """Wire the nodes together: the same for all targets, the baseline's origin aside.

    Args:
        config: The settings.
        source: What `config.data.path` was found to be.
        target: What it will run on.
        parameters: By node, further execution parameters, or others than the
            settings say: TFX's RuntimeParameters.

    Returns:
        A pipeline of nine nodes with caching on.

    Raises:
        ConfigError: If the schema file of the settings cannot be used, or a place
            that the target needs is not named.
    """
    schema_file = config.data.schema_file or str(CURATED_SCHEMA)
    example_gen = make_example_gen(
        source, config.data.columns, shard_mib=config.data.shard_mib
    )
    examples = example_gen.outputs['examples']
    statistics_gen = make_statistics_gen(examples)
    schema_gen = make_schema_gen(schema_file)
    schema = schema_gen.outputs['schema']
    example_validator = make_example_validator(statistics_gen.outputs['statistics'], schema)
    transform = make_transform(examples, schema, config.text)
    # Nothing is learned from data that the schema does not accept.
    transform.add_upstream_node(example_validator)
    trainer = make_trainer(
        examples,
        transform.outputs['transform_graph'],
        schema,
        trainer=config.trainer,
        text=config.text,
    )
    model = trainer.outputs['model']
    root, serving_dir = _places(config, target)
    baseline_resolver = _make_baseline(target, model, serving_dir)
    evaluator = make_evaluator(examples, model, baseline_resolver.outputs['model'], config.gate)
    _fingerprint(example_gen, 'components.example_gen.executor')
    _fingerprint(statistics_gen, 'components.statistics_gen.executor')
    _fingerprint(schema_gen, 'components.schema.executor')
    _fingerprint(example_validator, 'components.example_validator.executor')
    _fingerprint(transform, 'components.transform.executor')
    _fingerprint(
        trainer,
        'components.trainer.executor',
        f'components.trainer.models.{config.trainer.architecture}',
    )
    _fingerprint(evaluator, 'components.evaluator.executor')
    pusher = make_pusher(
        model,
        evaluator.outputs['blessing'],
        serving_dir,
        evaluation=evaluator.outputs['evaluation'],
        examples=examples,
        name=config.name,
        fingerprint=trainer.exec_properties['fingerprint'],
    )
    _fingerprint(pusher, 'components.pusher.executor')
    nodes = [
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        baseline_resolver,
        evaluator,
        pusher,
    ]
    for node in nodes:
        node.exec_properties.update((parameters or {}).get(node.id, {}))
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=root,
        components=nodes,
        enable_cache=True,
        beam_pipeline_args=list(beam_args(config.beam)),
    )


def _places(config: PipelineConfig, target: str) -> tuple[str, str]:
    """Return the root of the artifacts and the folder of versions."""
    if target == 'local':
        return str(config.pipeline_root), str(config.serving_path)
    if config.cloud.pipeline_root is None:
        raise ConfigError(
            f'a pipeline for {target} needs a root for its artifacts',
            hint='say --pipeline-root gs://BUCKET/FOLDER',
        )
    if config.serving_dir is None:
        raise ConfigError(
            f'a pipeline for {target} needs a folder for pushed versions',
            hint='say --serving-dir gs://BUCKET/FOLDER',
        )
    return config.cloud.pipeline_root, config.serving_dir


def _make_baseline(target: str, candidate: BaseChannel, serving_dir: str) -> BaseNode:
    if target == 'vertex':
        return make_latest_blessed_resolver()
    if target == 'kubeflow':
        return make_served_baseline(candidate, serving_dir)
    return make_baseline_resolver(candidate, serving_dir)


def _fingerprint(node: BaseNode, *modules: str) -> None:
    """Add to a node's cache key what TFX leaves out of it: its code and the stack."""
    node.exec_properties['fingerprint'] = code_fingerprint(*modules)
