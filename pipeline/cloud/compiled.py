"""A compiled pipeline: the specification that a service runs, and its run-time parameters."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic
import yaml

from components.common.errors import ConfigError
from pipeline.cloud.targets import Target

Value = str | int | float
ParameterKind = Literal['string', 'integer', 'number']

_TYPES: Mapping[ParameterKind, type[Value]] = {'string': str, 'integer': int, 'number': float}
_EXPECTED = {'string': 'a text', 'integer': 'a whole number', 'number': 'a number'}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """A run-time parameter: what a run can change without compiling again.

    Attributes:
        name: As it is given to `--param`.
        kind: What a value must be: STRING, NUMBER_INTEGER or NUMBER_DOUBLE in the
            specification.
        default: What it is unless a run says otherwise.
        description: One line.
        limits: Bounds, as pydantic's field of the setting has them.
    """

    name: str
    kind: ParameterKind
    default: Value
    description: str
    limits: tuple[Any, ...] = ()

    def parse(self, text: str) -> Value:
        """Turn a text of the command line into a value.

        Raises:
            ConfigError: If it is not of this kind, or out of range.
        """
        kind: Any = _TYPES[self.kind]
        if self.limits:
            annotated: Any = Annotated
            parts = (kind, *self.limits)
            kind = annotated[parts]
        try:
            value: Value = pydantic.TypeAdapter(
                kind, config=pydantic.ConfigDict(allow_inf_nan=False)
            ).validate_python(text)
        except pydantic.ValidationError as err:
            reason = err.errors()[0]['msg']
            raise ConfigError(
                f'the parameter {self.name} takes {_EXPECTED[self.kind]}, got {text!r}: '
                f'{reason[:1].lower()}{reason[1:]}',
                hint=self.description,
            ) from err
        if value == '':
            raise ConfigError(
                f'the parameter {self.name} takes {_EXPECTED[self.kind]}, got an empty one',
                hint=self.description,
            )
        return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompiledPipeline:
    """What `compile` writes and a service runs.

    Attributes:
        target: The service that it is for.
        name: The pipeline's name.
        pipeline_root: Where its artifacts go: gs://…, minio://… or a path.
        spec: The bare PipelineSpec, schema 2.1.0, as JSON values.
        parameters: The run-time parameters by name.
        labels: Of the Vertex job.
        platform: The PlatformSpec that goes with a Kubeflow specification, if
            there is any: the second document of its YAML.
    """

    target: Target
    name: str
    pipeline_root: str
    spec: dict[str, Any]
    parameters: Mapping[str, Parameter]
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    platform: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def job(self) -> dict[str, Any]:
        """Return the PipelineJob around the specification, which Vertex takes."""
        return {
            'displayName': self.name,
            'labels': dict(self.labels),
            'pipelineSpec': self.spec,
            'runtimeConfig': {'gcsOutputDirectory': self.pipeline_root},
        }

    def text(self) -> str:
        """Write it down: PipelineJob JSON for Vertex, PipelineSpec YAML for Kubeflow."""
        if self.target == 'vertex':
            return json.dumps(self.job(), indent=2, sort_keys=True, ensure_ascii=False) + '\n'
        text = readable_yaml(self.spec)
        return f'{text}---\n{readable_yaml(dict(self.platform))}' if self.platform else text

    def parameter_values(self, assignments: Sequence[str]) -> dict[str, Value]:
        """Check `NAME=VALUE` assignments, and fill in the defaults of all others.

        Raises:
            ConfigError: If there is no such parameter, it is given twice, or the
                value is of another kind or out of range.
        """
        values: dict[str, Value] = {}
        for assignment in assignments:
            name, equals, text = assignment.partition('=')
            name = name.strip()
            if not equals:
                raise ConfigError(
                    f'expected --param NAME=VALUE, got {assignment!r}', hint=self._known()
                )
            if name not in self.parameters:
                close = difflib.get_close_matches(name, self.parameters, n=1)
                raise ConfigError(
                    f'the compiled pipeline has no run-time parameter {name!r}',
                    hint=f'did you mean {close[0]}?' if close else self._known(),
                )
            if name in values:
                raise ConfigError(f'the parameter {name} is given twice', hint='give it once')
            values[name] = self.parameters[name].parse(text)
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        return {**defaults, **values}

    def _known(self) -> str:
        return f'the parameters are {", ".join(self.parameters)}'


def readable_yaml(value: Any) -> str:
    """Write JSON values as YAML, keys sorted, and texts of several lines as blocks."""
    return yaml.dump(value, Dumper=_ReadableDumper, sort_keys=True, allow_unicode=True, width=100)


class _ReadableDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '|' if '\n' in text else None
    return dumper.represent_scalar('tag:yaml.org,2002:str', text, style=style)


_ReadableDumper.add_representer(str, _represent_text)
