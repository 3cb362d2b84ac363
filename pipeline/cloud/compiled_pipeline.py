"""The compiled pipeline: its specification and its run-time parameters."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from components.common.errors import ConfigError
from pipeline.cloud.parameters import Parameter, Value
from pipeline.cloud.targets import Target
from pipeline.settings.cloud import require_nodes


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompiledPipeline:
    """A compiled pipeline.

    Attributes:
        target: The service.
        name: Name of the pipeline.
        pipeline_root: Folder for artifacts; empty for the default of Kubeflow Pipelines.
        spec: The PipelineSpec, schema 2.1.0, as JSON values.
        parameters: Run-time parameters by name.
        labels: Labels of the Vertex job.
        platform: PlatformSpec for Kubeflow, the second document of the YAML; can be empty.

    Example:
        >>> compiled = CompiledPipeline(  # doctest: +SKIP
        ...     target='kubeflow', name='sentiment', pipeline_root='gs://b/r', spec=spec,
        ...     parameters={'seed': seed})
        >>> compiled.parameter_values(['seed=7'])  # doctest: +SKIP
        {'seed': 7}
    """

    target: Target
    name: str
    pipeline_root: str
    spec: dict[str, Any]
    parameters: Mapping[str, Parameter]
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    platform: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def job(self) -> dict[str, Any]:
        """Return the PipelineJob with the specification, for Vertex."""
        return {
            'displayName': self.name,
            'labels': dict(self.labels),
            'pipelineSpec': self.spec,
            'runtimeConfig': {'gcsOutputDirectory': self.pipeline_root},
        }

    def text(self) -> str:
        """Return a PipelineJob as JSON for Vertex, or a PipelineSpec as YAML for Kubeflow."""
        if self.target == 'vertex':
            return json.dumps(self.job(), indent=2, sort_keys=True, ensure_ascii=False) + '\n'
        text = readable_yaml(self.spec)
        return f'{text}---\n{readable_yaml(dict(self.platform))}' if self.platform else text

    def executing(self, again: Collection[str]) -> CompiledPipeline:
        """Return this pipeline with some nodes, and all nodes after them, never cached.

        The nodes after them are included because their cache keys can stay the same: a
        key has the names of the input artifacts (backend/src/v2/cacheutils/cache.go,
        `GenerateCacheKey`).

        Raises:
            ConfigError: If the pipeline does not have one of the nodes.
        """
        require_nodes(again)
        spec = copy.deepcopy(self.spec)
        tasks: dict[str, Any] = spec['root']['dag']['tasks']
        executed = set(again)
        while (
            after := {
                name
                for name in tasks
                if executed.intersection(tasks[name].get('dependentTasks', ()))
            }
            - executed
        ):
            executed |= after
        for name in executed:
            tasks[name]['cachingOptions'] = {}
        return dataclasses.replace(self, spec=spec)

    def parameter_values(self, assignments: Sequence[str]) -> dict[str, Value]:
        """Return the values of all parameters: those of `NAME=VALUE` assignments, else defaults.

        Raises:
            ConfigError: If a parameter is unknown or repeated, or its value is invalid.
        """
        known = f'the parameters are {", ".join(self.parameters)}'
        values: dict[str, Value] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition('=')
            name = name.strip()
            if not equals:
                raise ConfigError(f'expected --param NAME=VALUE, got {assignment!r}', hint=known)
            if name not in self.parameters:
                raise ConfigError(f'the pipeline has no run-time parameter {name!r}', hint=known)
            if name in values:
                raise ConfigError(
                    f'--param {name}: expected once, got it twice', hint='remove one of the two'
                )
            values[name] = self.parameters[name].parse(text)
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        return {**defaults, **values}


def readable_yaml(value: Any) -> str:
    """Return JSON values as YAML with sorted keys, and texts of several lines as blocks."""
    return yaml.dump(value, Dumper=_ReadableDumper, sort_keys=True, allow_unicode=True, width=100)


class _ReadableDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '|' if '\n' in text else None
    return dumper.represent_scalar('tag:yaml.org,2002:str', text, style=style)


_ReadableDumper.add_representer(str, _represent_text)
