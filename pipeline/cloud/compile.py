"""Compiles the pipeline for Vertex AI Pipelines and for Kubeflow Pipelines.

TFX's compiler creates the specification. This module adds what TFX leaves out, and
`kubeflow_spec` and `kubernetes_platform` add what Kubeflow Pipelines needs. No bucket, network or
credentials are used.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from components.common.errors import ConfigError, MissingDependencyError
from components.example_gen import span_hook
from components.example_gen.sources import DataSource, discover
from components.user_module.source import UserModule
from pipeline.beam.arguments import require_valid_options
from pipeline.cloud import kubeflow_spec, kubernetes_platform
from pipeline.cloud.compiled_pipeline import CompiledPipeline
from pipeline.cloud.parameters import Parameter, run_time_parameters
from pipeline.cloud.rules import require_valid
from pipeline.cloud.targets import Target
from pipeline.process.imports import no_collection
from pipeline.process.logs import no_framework_noise
from pipeline.settings.config import PipelineConfig
from pipeline.settings.user_module import find_user_module

# The folder of the image that its Python imports from, see Dockerfile.
IMAGE_FOLDER = '/opt/reviews'


def compile_pipeline(config: PipelineConfig, target: Target) -> CompiledPipeline:
    """Compile the pipeline of `config`.

    Args:
        config: The settings, with `cloud.image` and `serving_dir`, and for Vertex AI with
            `cloud.pipeline_root`.
        target: The service.

    Returns:
        A pipeline whose specification satisfies the rules of the service.

    Raises:
        ConfigError: If a setting is missing, or the service would refuse the pipeline.
        DataError: If the data path cannot be read as the settings say.
        MissingDependencyError: If kfp is not installed.

    Example:
        >>> compile_pipeline(config, 'vertex').text()[:1]  # doctest: +SKIP
        '{'
    """
    if config.cloud.image is None:
        raise ConfigError(
            f'a pipeline for {target} needs a container image', hint='pass --image IMAGE'
        )
    if target == 'vertex':
        _require_no_pods(config)
    source = discover(
        config.data.path, config.data.columns, elsewhere=True, spans=config.data.spans
    )
    of_nodes = run_time_parameters(config, source)
    parameters = {p.name: p for of_node in of_nodes.values() for p in of_node.values()}
    job = _compile(config, target, source, of_nodes)
    spec = job['pipelineSpec']
    for name, parameter in parameters.items():
        # TFX's compiler drops the defaults.
        spec['root']['inputDefinitions']['parameters'][name].update(
            defaultValue=parameter.default, description=parameter.description, isOptional=True
        )
    _write_resources(spec, config)
    if source.spans:
        # TFX's own hook finds one span only.
        container = kubeflow_spec.container_of(spec, kubeflow_spec.EXAMPLE_GEN)
        container['lifecycle']['preCacheCheck']['command'] = list(span_hook.HOOK)
    for name, task in spec['root']['dag']['tasks'].items():
        cached = name not in kubeflow_spec.NEVER_CACHED
        task['cachingOptions'] = {'enableCache': True} if cached else {}
    platform: dict[str, Any] = {}
    if target == 'kubeflow':
        kubeflow_spec.adapt(spec, pipeline_root=config.cloud.pipeline_root)
        kubernetes_platform.write_variables(spec, config.cloud)
        platform = kubernetes_platform.platform_of(spec, config.cloud)
    require_valid(spec, target, platform)
    return CompiledPipeline(
        target=target,
        name=config.name,
        pipeline_root=config.cloud.pipeline_root or '',
        spec=spec,
        parameters=parameters,
        labels=job.get('labels', {}),
        platform=platform,
    )


def compile_for_service(config: PipelineConfig, target: Target) -> CompiledPipeline:
    """Compile for a service, without the output of the frameworks.

    If there is a user's module, it prints what the image must contain.

    Raises:
        ReviewsError: If the pipeline cannot be compiled, or the service cannot reach a
            path in the settings.
    """
    _require_reachable(config, target)
    require_valid_options(config.beam)
    with no_framework_noise(), no_collection():
        compiled = compile_pipeline(config, target)
    module = find_user_module(config.module, config.trainer.model, config.preset)
    if module is not None:
        print(describe_image(module, str(config.cloud.image)), file=sys.stderr)
    return compiled


def describe_image(module: UserModule, image: str) -> str:
    """Return what an image must contain so that its steps find a user's module."""
    top = module.name.partition('.')[0]
    if module.installed:
        return f'{image} must contain the package {top}, as it is installed here'
    first = sorted({source.partition('.')[0] for source in module.sources})
    files = [f'{name}.py' for name in first if module.sources[name].name != '__init__.py']
    packages = [name for name in first if f'{name}.py' not in files]
    lines = [
        f'{image} must contain the module {module.name}. Build it in {module.folder} with this '
        'Dockerfile:',
        '  FROM <the image of this project, which make image builds>',
        *([f'  COPY {" ".join(files)} {IMAGE_FOLDER}/'] if files else []),
        *(f'  COPY {name} {IMAGE_FOLDER}/{name}' for name in packages),
    ]
    return '\n'.join(lines)


def _require_no_pods(config: PipelineConfig) -> None:
    """Refuse settings of pods, which Vertex AI does not have."""
    for name in ('volumes', 'pod'):
        if getattr(config.cloud, name):
            raise ConfigError(
                f'cloud.{name}: expected none for vertex, which has no pods and no volumes',
                hint=f'remove cloud.{name}, or pass --target kubeflow',
            )


def _require_reachable(config: PipelineConfig, target: Target) -> None:
    """Refuse paths that are not on a storage of the service.

    This is no rule of the specification, as in a rehearsal all paths are on this machine.
    """
    # On Kubeflow, the launcher opens the pipeline root, and steps open the other paths.
    vertex = target == 'vertex'
    of_artifacts = ('gs://',) if vertex else ('gs://', 'minio://', 's3://')
    of_steps = ('gs://',) if vertex else ('gs://', '/')
    volumes = '' if vertex else '; steps mount the volumes of cloud.volumes'
    for option, path, beginnings in (
        ('--data', config.data.path, of_steps),
        ('--pipeline-root', config.cloud.pipeline_root, of_artifacts),
        ('--serving-dir', config.serving_dir, of_steps),
    ):
        if path is not None and not path.startswith(beginnings):
            expected = ' or '.join(f'{beginning}…' for beginning in beginnings)
            raise ConfigError(
                f'{option}: expected {expected}, got {path!r}',
                hint=f'pass such a path: {target} cannot reach paths on this machine{volumes}',
            )


def _compile(
    config: PipelineConfig,
    target: Target,
    source: DataSource,
    parameters: Mapping[str, Mapping[str, Parameter]],
) -> dict[str, Any]:
    """Compile a PipelineJob with TFX."""
    try:
        from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as dag_runner
    except ModuleNotFoundError as err:
        if not (err.name or '').startswith('kfp'):
            raise
        raise MissingDependencyError(
            'the package kfp is not installed', hint='run `make cloud`'
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
                    ptype=type(parameter.default),
                    default=parameter.default,
                )
                for key, parameter in of_node.items()
            }
            for node, of_node in parameters.items()
        },
    )
    is_vertex = target == 'vertex'
    command = dag_runner.KUBEFLOW_TFX_CMD if is_vertex else kubeflow_spec.ENTRY_POINT
    runner = dag_runner.KubeflowV2DagRunner(
        dag_runner.KubeflowV2DagRunnerConfig(
            default_image=config.cloud.image,
            default_commands=list(command),
            use_pipeline_spec_2_1=True,
        )
    )
    job: dict[str, Any] = runner.run(pipeline, write_out=False)
    return job


def _write_resources(spec: dict[str, Any], config: PipelineConfig) -> None:
    """Write the resources of each container; TFX's own setting omits ExampleGen."""
    for node, wanted in config.cloud.resources.items():
        limits = {'cpuLimit': wanted.cpu, 'memoryLimit': wanted.memory_gb}
        resources: dict[str, Any] = {k: v for k, v in limits.items() if v is not None}
        if wanted.accelerator is not None:
            resources['accelerator'] = {
                'type': wanted.accelerator,
                # The JSON of protocol buffers writes 64-bit numbers as strings.
                'count': str(wanted.accelerator_count or 1),
            }
        kubeflow_spec.container_of(spec, node)['resources'] = resources
