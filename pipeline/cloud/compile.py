"""Compiles the pipeline for Vertex AI Pipelines and for Kubeflow Pipelines.

TFX's compiler does the work. What it leaves undone, and what open-source
Kubeflow Pipelines needs otherwise, is done to its result: `kubeflow_spec` has
the latter. Nothing here touches a bucket, a network or credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.common.errors import ConfigError, MissingDependencyError
from components.example_gen import span_hook
from components.example_gen.sources import DataSource, discover
from pipeline.cloud import kubeflow_spec
from pipeline.cloud.compiled import CompiledPipeline, Parameter
from pipeline.cloud.parameters import run_time_parameters
from pipeline.cloud.rules import require_valid
from pipeline.cloud.targets import Target
from pipeline.settings.config import PipelineConfig

_PARAMETER_TYPES = {'string': str, 'integer': int, 'number': float}


def compile_pipeline(config: PipelineConfig, target: Target) -> CompiledPipeline:
    """Compile the pipeline of `config`.

    Args:
        config: The settings; `cloud.image`, `cloud.pipeline_root` and
            `serving_dir` are needed.
        target: What it will run on.

    Returns:
        A specification that keeps the rules of the target.

    Raises:
        ConfigError: If a setting is missing, or the target would refuse what
            comes of it.
        DataError: If the data can't be what was named.
        MissingDependencyError: If kfp is not installed.
    """
    if config.cloud.image is None:
        raise ConfigError(
            f'a pipeline for {target} runs in containers, and needs an image',
            hint='say --image IMAGE',
        )
    source = discover(
        config.data.path, config.data.columns, elsewhere=True, spans=config.data.spans
    )
    parameters = run_time_parameters(config, source)
    job = _compile(config, target, source, parameters)
    spec = job['pipelineSpec']
    _write_parameters(spec, parameters)
    _write_resources(spec, config)
    if source.spans:
        _write_hook(spec)
    if target == 'kubeflow':
        kubeflow_spec.adapt(spec, pipeline_root=config.cloud.pipeline_root or '')
    require_valid(spec, target)
    return CompiledPipeline(
        target=target,
        name=config.name,
        pipeline_root=config.cloud.pipeline_root or '',
        spec=spec,
        parameters={p.name: p for of_node in parameters.values() for p in of_node.values()},
        labels=job.get('labels', {}),
        platform=(
            kubeflow_spec.platform_of(spec, config.cloud.volumes) if target == 'kubeflow' else {}
        ),
    )


def _compile(
    config: PipelineConfig,
    target: Target,
    source: DataSource,
    parameters: Mapping[str, Mapping[str, Parameter]],
) -> dict[str, Any]:
    """Have TFX compile a PipelineJob."""
    try:
        from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as dag_runner
    except ModuleNotFoundError as err:
        if not (err.name or '').startswith('kfp'):
            raise
        raise MissingDependencyError(
            'compiling needs kfp, which is not installed',
            hint='run `make cloud`, which installs it',
        ) from err
    from tfx.orchestration.data_types import RuntimeParameter

    from pipeline.create import create_pipeline

    pipeline = create_pipeline(
        config,
        source,
        target=target,
        parameters={
            node: {
                key: RuntimeParameter(
                    name=parameter.name,
                    ptype=_PARAMETER_TYPES[parameter.kind],
                    default=parameter.default,
                )
                for key, parameter in of_node.items()
            }
            for node, of_node in parameters.items()
        },
    )
    runner = dag_runner.KubeflowV2DagRunner(
        dag_runner.KubeflowV2DagRunnerConfig(
            default_image=config.cloud.image,
            default_commands=(
                list(kubeflow_spec.ENTRY_POINT)
                if target == 'kubeflow'
                else list(dag_runner.KUBEFLOW_TFX_CMD)
            ),
            use_pipeline_spec_2_1=True,
        )
    )
    job: dict[str, Any] = runner.run(pipeline, write_out=False)
    return job


def _write_parameters(
    spec: dict[str, Any], parameters: Mapping[str, Mapping[str, Parameter]]
) -> None:
    """Give the run-time parameters the defaults that TFX's compiler drops."""
    definitions = spec['root']['inputDefinitions']['parameters']
    for of_node in parameters.values():
        for parameter in of_node.values():
            definitions[parameter.name].update(
                defaultValue=parameter.default,
                description=parameter.description,
                isOptional=True,
            )


def _write_hook(spec: dict[str, Any]) -> None:
    """Have our own hook look at the data: TFX's finds one span."""
    container = kubeflow_spec.container_of(spec, kubeflow_spec.EXAMPLE_GEN)
    container['lifecycle']['preCacheCheck']['command'] = list(span_hook.HOOK)


def _write_resources(spec: dict[str, Any], config: PipelineConfig) -> None:
    """Write what each container gets; TFX's own way leaves ExampleGen out."""
    for node, wanted in config.cloud.resources.items():
        resources: dict[str, Any] = {}
        if wanted.cpu is not None:
            resources['cpuLimit'] = wanted.cpu
        if wanted.memory_gb is not None:
            resources['memoryLimit'] = wanted.memory_gb
        if wanted.accelerator is not None:
            resources['accelerator'] = {
                'type': wanted.accelerator,
                # A 64-bit number, which is a string in protocol buffers' JSON.
                'count': str(wanted.accelerator_count),
            }
        kubeflow_spec.container_of(spec, node)['resources'] = resources
