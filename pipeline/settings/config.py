"""The settings of a run: preset, then file, then command line."""

from __future__ import annotations

import difflib
import operator
import os
import pathlib
from collections.abc import Iterable, Mapping
from textwrap import shorten
from typing import Any, get_args, get_origin

import pydantic

from components.common import features
from components.common.errors import ConfigError
from components.common.overrides import setting_error, setting_name
from components.common.patterns import require_no_pattern
from components.common.secrets import has_credentials, mask
from components.common.settings import (
    DEFAULT_SHARD_MIB,
    ColumnSettings,
    Executors,
    Settings,
    TextSettings,
)
from components.evaluator.settings import GateSettings
from components.readers.feature_columns import parse_features
from components.trainer.models import ARCHITECTURES, load_settings_class
from components.trainer.settings import TrainerSettings
from components.user_module.settings import ModuleSettings
from components.user_module.source import find_module
from pipeline.settings.beam import BeamSettings
from pipeline.settings.cloud import CloudSettings
from pipeline.settings.metadata import MetadataSettings
from pipeline.settings.presets import DEFAULT_PRESET, MODULE_PRESET, PRESETS
from pipeline.settings.safe_yaml import load_yaml
from pipeline.settings.user_module import find_user_module

DEFAULT_ROOT = 'runs'
DEFAULT_NAME = 'sentiment'

_SHOW_HINT = 'print all settings with: pipeline_runner.py config show'


class DataConfig(Settings):
    """The training data and its format."""

    path: str = pydantic.Field(
        min_length=1,
        description='file, folder, glob, archive, or pattern with {SPAN} or {YYYY}{MM}{DD}',
    )
    spans: int = pydantic.Field(
        1,
        ge=1,
        le=100_000,
        description='number of newest spans to read, if path contains {SPAN} or {YYYY}{MM}{DD}',
    )
    shard_mib: int = pydantic.Field(
        DEFAULT_SHARD_MIB,
        ge=1,
        le=4_096,
        description='largest size of an output file (shard) in MiB, before compression; one worker '
        'reads or writes a whole shard',
    )
    schema_file: str | None = pydantic.Field(
        None, description='schema file (text proto); null: the schema of this project'
    )
    columns: ColumnSettings = ColumnSettings()


class PipelineConfig(Settings):
    """All settings of a run. With the data, they determine its result."""

    name: str = pydantic.Field(
        DEFAULT_NAME,
        pattern=r'^[a-z0-9][a-z0-9-]{0,62}$',
        description='name of the pipeline and of its served model',
    )
    module: str | None = pydantic.Field(
        None,
        min_length=1,
        description='your module: a Python file, or a dotted name; it defines preprocessing_fn, '
        'run_fn or build_model',
    )
    preset: str = pydantic.Field(
        description=f'preset with the starting values ({", ".join(sorted(PRESETS))}); '
        'use --preset, not --set'
    )
    executors: Executors = pydantic.Field(
        'fast',
        description='fast: executors of this project; stock: those of TFX, which take longer and '
        'give the same results',
    )
    data: DataConfig
    text: TextSettings
    trainer: TrainerSettings
    gate: GateSettings
    root: str = pydantic.Field(
        DEFAULT_ROOT, min_length=1, description='folder for the outputs of all runs'
    )
    serving_dir: str | None = pydantic.Field(
        None, min_length=1, description='folder for pushed versions; null: ROOT/serving/NAME'
    )
    concurrent_nodes: int = pydantic.Field(
        2,
        ge=1,
        le=9,
        description='number of nodes that may run at the same time on this machine, each in a '
        'process of its own; 1: one after the other, in the process of the run',
    )
    beam: BeamSettings = BeamSettings()
    metadata: MetadataSettings = MetadataSettings()
    cloud: CloudSettings = CloudSettings()

    @pydantic.model_validator(mode='after')
    def _without_credentials(self) -> PipelineConfig:
        # Settings are displayed, stored with each run, and part of a compiled pipeline.
        for name, value in settings_by_name(self.model_dump()).items():
            if has_credentials(str(value)):
                raise ConfigError(
                    f'{name}: expected a value without user, password or token, '
                    f'got {mask(str(value))}',
                    hint='pass credentials through environment variables or a service account',
                )
        return self

    @pydantic.model_validator(mode='after')
    def _without_patterns(self) -> PipelineConfig:
        # The commands that write check the folders above a relative root.
        for name in ('root', 'serving_dir', 'cloud.pipeline_root'):
            folder = operator.attrgetter(name)(self)
            if folder is not None:
                require_no_pattern(name, folder)
        return self

    @pydantic.model_validator(mode='after')
    def _with_columns_of_slices(self) -> PipelineConfig:
        columns = [name for name, _ in parse_features(self.data.columns.features)]
        for column in sorted(self.gate.slice_columns() - set(columns)):
            close = difflib.get_close_matches(column, [*columns, features.LENGTH_KEY], n=1)
            raise ConfigError(
                f'gate.slices: {column!r} is not one of data.columns.features'
                + (f'; did you mean {close[0]}?' if close else ''),
                hint=f"add it, for example with --set 'data.columns.features=[{column}]'",
            )
        return self

    @property
    def root_path(self) -> pathlib.Path:
        """Absolute path of `root`."""
        return pathlib.Path(os.path.abspath(self.root))

    @property
    def pipeline_root(self) -> pathlib.Path:
        """Folder for the artifacts of the nodes."""
        return self.root_path / 'artifacts' / self.name

    @property
    def serving_path(self) -> pathlib.Path:
        """Folder of the pushed versions, which a model server watches."""
        return serving_location(root=self.root, name=self.name, serving_dir=self.serving_dir)


def serving_location(
    *, root: str | None = None, name: str | None = None, serving_dir: str | None = None
) -> pathlib.Path:
    """Return the folder of the pushed versions for these options.

    Example:
        >>> serving_location(root='/runs', name='reviews').as_posix()
        '/runs/serving/reviews'
    """
    if serving_dir is not None:
        return pathlib.Path(os.path.abspath(serving_dir))
    return pathlib.Path(os.path.abspath(root or DEFAULT_ROOT)) / 'serving' / (name or DEFAULT_NAME)


def load_config(
    *,
    preset: str | None = None,
    file: pathlib.Path | None = None,
    flags: Mapping[str, Any] | None = None,
    settings: Iterable[str] = (),
    data: str | None = None,
) -> PipelineConfig:
    """Return the settings of a run; each source overrides those before it.

    Args:
        preset: Name of the preset to start from, in place of the file's. None: that of
            the file, or else the default.
        file: YAML file with settings.
        flags: Values of command line options, by dotted name of the setting.
        settings: `name=value` from `--set`; the value is YAML.
        data: Value of `data.path` if no source sets it.

    Raises:
        ConfigError: If a preset, setting or value is unknown or invalid. The message
            names it.

    Example:
        >>> config = load_config(data='reviews.csv', settings=['trainer.model.max_ngram=2'])
        >>> config.trainer.model.architecture, config.trainer.model.max_ngram
        ('ngram', 2)
    """
    from_file = _read_file(file) if file is not None else {}
    module = (flags or {}).get('module', from_file.get('module'))
    default = DEFAULT_PRESET
    if isinstance(module, str) and find_module(module).trains:
        default = MODULE_PRESET
    chosen = from_file.get('preset', default) if preset is None else preset
    if not isinstance(chosen, str) or chosen not in PRESETS:
        named = f' (named in {file})' if preset is None else ''
        raise ConfigError(
            f'there is no preset {mask(shorten(repr(chosen), 100))}{named}',
            hint=f'the presets are {", ".join(sorted(PRESETS))}',
        )
    tree: dict[str, Any] = {'data': {} if data is None else {'path': data}}
    _merge(tree, PRESETS[chosen])
    _merge(tree, from_file)
    tree['preset'] = chosen
    for name, value in (flags or {}).items():
        _put(tree, name, value)
    for assignment in settings:
        name, equals, value = assignment.partition('=')
        if not equals:
            raise ConfigError(
                f'expected --set NAME=VALUE, got {assignment!r}',
                hint='for example --set trainer.seed=5',
            )
        if name.strip() == 'preset':
            raise ConfigError(
                'the preset cannot be set by --set, because all settings start from it',
                hint=f'pass --preset {value.strip() or "NAME"}',
            )
        try:
            parsed = load_yaml(value)
        except ValueError as err:
            shown = mask(shorten(value, 100))
            raise ConfigError(
                f'{name}: expected YAML, got {shown!r} ({err})',
                hint='quote the value for the shell, as in --set \'gate.slices={"1-10": 0.7}\'',
            ) from err
        _put(tree, name.strip(), parsed)
    try:
        config = PipelineConfig.model_validate(tree)
    except pydantic.ValidationError as err:
        raise _config_error(err) from err
    find_user_module(config.module, config.trainer.model, config.preset)
    return config


def settings_by_name(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return the values of a tree of settings by dotted name.

    >>> settings_by_name({'name': 'a', 'trainer': {'seed': 1}, 'cloud': {'volumes': {}}})
    {'name': 'a', 'trainer.seed': 1, 'cloud.volumes': {}}
    """
    values: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            values |= settings_by_name(value, f'{prefix}{name}.')
        else:
            values[prefix + name] = value
    return values


# Dictionaries have a section for each node or metric, and lists for each number.
_KEYS = {'resources': 'NODE', 'pod': 'NODE', 'bounds': 'METRIC', 'tolerations': 'N'}


def setting_names(model: type[pydantic.BaseModel] = PipelineConfig, prefix: str = '') -> list[str]:
    """List the dotted names of all settings, those of every architecture included.

    Example:
        >>> [name for name in setting_names() if name.startswith('trainer.model.max')]
        ['trainer.model.max_ngram']
    """
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        sections = [
            section
            for section in (kind, *get_args(kind))
            if isinstance(section, type) and issubclass(section, pydantic.BaseModel)
        ]
        of_keys = get_origin(kind) in (dict, tuple)
        inner = f'{prefix}{name}.{_KEYS[name]}.' if of_keys and sections else f'{prefix}{name}.'
        for section in sections:
            names += setting_names(section, inner)
        if of_keys or not sections:
            names.append(prefix + name)
    return list(dict.fromkeys(names))


def _read_file(file: pathlib.Path) -> Mapping[str, Any]:
    try:
        tree = load_yaml(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as err:
        raise ConfigError(
            f'cannot read the configuration {file}: {err}',
            hint='correct the file, or pass another one with --config FILE',
        ) from err
    if not isinstance(tree, dict):
        raise ConfigError(
            f'expected a mapping of settings in {file}, got {type(tree).__name__}',
            hint=_SHOW_HINT,
        )
    return tree


def _merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, Mapping):
            section = tree.get(name)
            tree[name] = section if isinstance(section, dict) else {}
            _merge(tree[name], value)
        else:
            tree[name] = value


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split('.')
    for parent in parents:
        node = tree.setdefault(parent, {})
        if not isinstance(node, dict):
            raise _unknown(name)
        tree = node
    tree[leaf] = value


def _unknown(name: str) -> ConfigError:
    close = difflib.get_close_matches(name, setting_names(), n=1)
    hint = f'did you mean {close[0]}?' if close else _SHOW_HINT
    return ConfigError(f'there is no setting {name!r}', hint=hint)


def _not_of_architecture(name: str, architecture: str) -> ConfigError:
    field = name.rpartition('.')[2]
    owners = [a for a in ARCHITECTURES if field in load_settings_class(a).model_fields]
    if field in ModuleSettings.model_fields:
        owners.append(features.MODULE_ARCHITECTURE)
    return ConfigError(
        f'the architecture {architecture} has no setting {name!r}',
        hint=f'{" and ".join(owners)} has it: pass --preset {owners[0]}'
        if len(owners) == 1
        else f'{" and ".join(owners)} have it: pass --preset NAME',
    )


def _config_error(err: pydantic.ValidationError) -> ConfigError:
    first = err.errors()[0]
    name = setting_name(first['loc'])
    if first['type'] == 'extra_forbidden':
        if name.startswith('trainer.model.') and name in setting_names():
            return _not_of_architecture(name, str(first['loc'][2]))
        return _unknown(name)
    if first['type'] == 'missing':
        flag = {'data.path': 'pass --data PATH'}.get(name, f'pass --set {name}=VALUE')
        return ConfigError(f'the setting {name} is required', hint=flag)
    return setting_error(err, _SHOW_HINT)
