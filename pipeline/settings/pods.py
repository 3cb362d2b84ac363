"""Settings of the pods on Kubernetes, with the rules of Kubernetes and of the backend."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import pydantic

from components.common.errors import ConfigError
from components.common.settings import Settings

FOLDER = re.compile(r'(/[A-Za-z0-9._-]+)+')
# Names of claims, and of Secrets with files, become names of volumes, which have no dots
# (makeVolumeMountPatch and extendPodSpecPatch in backend/src/v2/driver/k8s.go).
VOLUME = re.compile(r'[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?')
_SECRET = re.compile(r'[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?')
_SECRET_KEY = re.compile(rf'{_SECRET.pattern}/[A-Za-z0-9._-]{{1,253}}')
_VARIABLE = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_LABEL_VALUE = re.compile(r'([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?')
_LABEL_KEY = re.compile(rf'({_SECRET.pattern}/)?(?=.){_LABEL_VALUE.pattern}')
# The launcher finds its pod by them (validateReservedRuntimeEnvVar in
# backend/src/v2/driver/driver.go on the branch of 3.0).
_BACKEND_VARIABLES = ('KFP_POD_NAME', 'KFP_POD_UID', 'NAMESPACE')
# Argo and the backend find pods by them (backend/src/v2/compiler/argocompiler/argo.go).
_BACKEND_KEYS = ('workflows.argoproj.io/', 'pipelines.kubeflow.org/', 'pipeline/')


class TolerationSettings(Settings):
    """A taint of machines that pods tolerate, with the rules of Kubernetes."""

    key: str | None = pydantic.Field(
        None, min_length=1, description='key of the taint; null: every key'
    )
    operator: Literal['Equal', 'Exists'] = pydantic.Field(
        'Equal', description='Equal: taints with this value; Exists: taints with any value'
    )
    value: str | None = pydantic.Field(None, description='value of the taint')
    effect: Literal['NoSchedule', 'PreferNoSchedule', 'NoExecute'] | None = pydantic.Field(
        None, description='effect of the taint; null: every effect'
    )
    toleration_seconds: int | None = pydantic.Field(
        None, ge=0, description='time that NoExecute is tolerated, in seconds; null: forever'
    )

    @pydantic.model_validator(mode='after')
    def _is_toleration(self) -> TolerationSettings:
        if self.operator == 'Exists' and self.value is not None:
            raise ValueError('value: expected none with the operator Exists')
        if self.operator == 'Equal' and self.key is None:
            raise ValueError('key: expected one with the operator Equal')
        if self.toleration_seconds is not None and self.effect != 'NoExecute':
            raise ValueError('toleration_seconds: expected the effect NoExecute')
        return self


class PodSettings(Settings):
    """Where the pods of a step run, and what they get from the cluster.

    Example:
        >>> shared = PodSettings(labels={'team': 'reviews'}, image_pull_secrets=('registry',))
        >>> shared.extended(PodSettings(labels={'step': 'trainer'})).labels
        {'team': 'reviews', 'step': 'trainer'}
    """

    node_selector: dict[str, str] = pydantic.Field(
        default_factory=dict, description='labels of the machines that pods run on'
    )
    tolerations: tuple[TolerationSettings, ...] = pydantic.Field(
        (),
        description='taints that pods tolerate: [{"key": "nvidia.com/gpu", "operator": "Exists"}]',
    )
    image_pull_secrets: tuple[str, ...] = pydantic.Field(
        (), description='Secrets with the logins of image registries'
    )
    env: dict[str, str] = pydantic.Field(
        default_factory=dict, description='environment variables: {"VARIABLE": "VALUE"}'
    )
    secret_env: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description='environment variables from Secrets: {"VARIABLE": "SECRET/KEY"}',
    )
    secret_files: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description='folders with a file for each key of a Secret: {"/etc/bucket": "SECRET"}',
    )
    labels: dict[str, str] = pydantic.Field(default_factory=dict, description='labels of pods')
    annotations: dict[str, str] = pydantic.Field(
        default_factory=dict, description='annotations of pods'
    )

    @pydantic.field_validator('image_pull_secrets')
    @classmethod
    def _are_secrets(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        _require(_SECRET, names, 'the name of a Secret')
        return names

    @pydantic.field_validator('env', 'secret_env')
    @classmethod
    def _are_variables(cls, variables: dict[str, str]) -> dict[str, str]:
        _require(_VARIABLE, variables, 'a variable with letters, digits and _')
        for name in variables:
            if name in _BACKEND_VARIABLES:
                raise ValueError(f'expected a variable other than those of the backend: {name!r}')
        return variables

    @pydantic.field_validator('secret_env')
    @classmethod
    def _name_keys_of_secrets(cls, variables: dict[str, str]) -> dict[str, str]:
        for variable, source in variables.items():
            if not _SECRET_KEY.fullmatch(source):
                # Not a ValueError, whose message would contain the value.
                raise ConfigError(
                    f'cloud.pod: {variable}: expected SECRET/KEY, the names of a Secret and of '
                    'one of its keys',
                    hint='store the value with kubectl create secret generic SECRET, and write '
                    'only the names',
                )
        return variables

    @pydantic.field_validator('secret_files')
    @classmethod
    def _are_folders(cls, folders: dict[str, str]) -> dict[str, str]:
        _require(FOLDER, folders, 'an absolute path of a folder')
        _require(VOLUME, folders.values(), 'the name of a Secret, without dots')
        return folders

    @pydantic.field_validator('node_selector', 'labels', 'annotations')
    @classmethod
    def _are_labels(cls, labels: dict[str, str], info: pydantic.ValidationInfo) -> dict[str, str]:
        _require(_LABEL_KEY, labels, 'NAME or DOMAIN/NAME as the key')
        if info.field_name != 'annotations':
            _require(
                _LABEL_VALUE,
                labels.values(),
                'at most 63 letters, digits, ".", "_" and "-", with a letter or digit at both ends',
            )
        if info.field_name != 'node_selector':
            for key in labels:
                if key.startswith(_BACKEND_KEYS):
                    raise ValueError(f'expected a key other than those of the backend: {key!r}')
        return labels

    def extended(self, other: PodSettings) -> PodSettings:
        """Return these settings and those of `other`, which count where both set a key."""
        merged: dict[str, Any] = {}
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            merged[name] = (
                mine | theirs if isinstance(mine, dict) else tuple(dict.fromkeys((*mine, *theirs)))
            )
        return self.model_copy(update=merged)


def _require(pattern: re.Pattern[str], texts: Iterable[str], expected: str) -> None:
    for text in texts:
        if not pattern.fullmatch(text):
            raise ValueError(f'expected {expected}: {text!r}')
