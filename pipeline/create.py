"""Creates the pipeline: its nodes and the artifacts that connect them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline

from components.common.errors import ConfigError
from components.common.fingerprint import code_fingerprint
from components.evaluator.component import make_evaluator
from components.example_gen.component import make_example_gen
from components.example_gen.sources import DataSource
from components.example_validator.component import make_example_validator
from components.pusher.component import make_pusher
from components.schema.component import make_schema_gen
from components.served_baseline.component import make_served_baseline
from components.statistics_gen.component import make_statistics_gen
from components.trainer.component import make_trainer
from components.transform.component import make_transform
from components.user_module.source import PREPROCESSING_FN, RUN_FN, UserModule
from pipeline.beam.arguments import beam_args
from pipeline.settings.config import PipelineConfig
from pipeline.settings.user_module import find_user_module
from pipeline.store.choice import backend_of

_FINGERPRINT = 'fingerprint'


def create_pipeline(
    config: PipelineConfig,
    source: DataSource | None,
    *,
    example_gen: BaseComponent | None = None,
    target: Literal['local', 'vertex', 'kubeflow'] = 'local',
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Pipeline:
    """Create the pipeline, which has the same nodes on every target.

    Args:
        config: The settings.
        source: The data, see `components.example_gen.sources.discover`; None if
            `example_gen` reads it.
        example_gen: A node in place of ExampleGen, for example TFX's CsvExampleGen. Its
            splits are `train`, `val` and `test`; its examples have the features `text` and
            `label`, an integer.
        target: The service that runs the pipeline, or `local`.
        parameters: By node id, execution parameters to add or replace: TFX's
            RuntimeParameters.

    Returns:
        A pipeline of nine nodes, with caching if the target is `local`.

    Raises:
        ConfigError: If the schema file or the user's module cannot be used, or a folder
            that the target needs is not set.

    Example:
        LocalDagRunner().run(create_pipeline(config, source))
    """
    pipeline_root, serving_dir = _folders(config, target)
    is_foreign = example_gen is not None
    if example_gen is None:
        assert source is not None
        example_gen = make_example_gen(source, config.data.columns, shard_mib=config.data.shard_mib)
    feature_columns = source.features if source else config.data.columns.features
    examples = example_gen.outputs['examples']
    statistics_gen = make_statistics_gen(examples, config.executors)
    schema_gen = make_schema_gen(
        config.data.schema_file,
        feature_columns,
        requires_length=not is_foreign,
    )
    schema = schema_gen.outputs['schema']
    example_validator = make_example_validator(statistics_gen.outputs['statistics'], schema)
    module = find_user_module(config.module, config.trainer.model, config.preset)
    reference = module.reference(local=target == 'local') if module else None
    functions = module.functions if module else {}
    transform = make_transform(
        examples,
        schema,
        config.text,
        config.executors,
        module=reference if PREPROCESSING_FN in functions else None,
        config=getattr(config.trainer.model, 'config', {}),
        materialize=RUN_FN in functions,
    )
    if PREPROCESSING_FN in functions:
        _add_fingerprint(transform, module)
    # Nothing is learned from data that the schema does not accept.
    transform.add_upstream_node(example_validator)
    transform_graph = transform.outputs['transform_graph']
    trainer = make_trainer(
        examples,
        transform_graph,
        schema,
        trainer=config.trainer,
        text=config.text,
        module=reference if module and module.trains else None,
        transformed_examples=(
            transform.outputs['transformed_examples'] if RUN_FN in functions else None
        ),
    )
    if module and module.trains:
        _add_fingerprint(trainer, module)
    else:
        # The module of the architecture is imported by its name.
        architecture = config.trainer.model.architecture
        _add_fingerprint(trainer, None, f'components.trainer.models.{architecture}.model')
    model = trainer.outputs['model']
    served_baseline = make_served_baseline(model, serving_dir)
    baseline_model = served_baseline.outputs['model']
    evaluator = make_evaluator(
        examples,
        model,
        baseline_model,
        config.gate,
        config.executors,
        statistics=statistics_gen.outputs['statistics'],
        feature_columns=feature_columns,
    )
    pusher = make_pusher(
        model,
        evaluator.outputs['blessing'],
        serving_dir,
        baseline_model=baseline_model,
        evaluation=evaluator.outputs['evaluation'],
        examples=examples,
        name=config.name,
        fingerprint=trainer.exec_properties[_FINGERPRINT],
    )
    if target == 'local':
        # No two runs have the same id, so TFX never takes a push from its cache.
        pusher.exec_properties['run_id'] = RuntimeParameter(PIPELINE_RUN_ID_PARAMETER_NAME, str)
    nodes = [
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        transform,
        trainer,
        served_baseline,
        evaluator,
        pusher,
    ]
    for node in nodes:
        if _FINGERPRINT not in node.exec_properties and not (is_foreign and node is example_gen):
            _add_fingerprint(node)
        node.exec_properties.update((parameters or {}).get(node.id, {}))
    connection = None
    if target == 'local':
        # As TFX's own connection to a file does, so that any of its local runners can be used.
        config.root_path.mkdir(parents=True, exist_ok=True)
        connection = backend_of(config).connection()
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=pipeline_root,
        components=nodes,
        # A service caches per pipeline or task, and ServedBaseline and Pusher must run each time.
        # `pipeline.cloud.compile` turns the cache on for all other tasks.
        enable_cache=target == 'local',
        metadata_connection_config=connection,
        beam_pipeline_args=list(beam_args(config.beam)),
    )


def _folders(config: PipelineConfig, target: str) -> tuple[str, str]:
    """Return the pipeline root and the serving folder."""
    if target == 'local':
        return str(config.pipeline_root), str(config.serving_path)
    # Kubeflow Pipelines has a default root, which the ConfigMap `kfp-launcher` changes.
    if config.cloud.pipeline_root is None and target == 'vertex':
        raise ConfigError(
            f'a pipeline for {target} needs a pipeline root, where its artifacts go',
            hint='pass --pipeline-root gs://BUCKET/FOLDER',
        )
    if config.serving_dir is None:
        raise ConfigError(
            f'a pipeline for {target} needs a serving folder, where models are pushed',
            hint='pass --serving-dir gs://BUCKET/FOLDER',
        )
    return config.cloud.pipeline_root or '', config.serving_dir


def _add_fingerprint(
    node: BaseComponent, user_module: UserModule | None = None, *modules: str
) -> None:
    """Add to a node's cache key what TFX leaves out: its code and the versions of the stack.

    Args:
        node: The modules of its executor and of its `run_fn` or `preprocessing_fn` count.
        user_module: The user's module, if the node calls it.
        modules: Dotted names of further modules.
    """
    functions = [node.exec_properties.get(key) for key in ('run_fn', 'preprocessing_fn')]
    node.exec_properties[_FINGERPRINT] = code_fingerprint(
        node.executor_spec.executor_class.__module__,
        *(function.rpartition('.')[0] for function in functions if function),
        *modules,
        *(user_module.project if user_module else ()),
        further=user_module.digest if user_module else '',
    )
