"""The one tree of settings behind a run: preset, then file, then flags."""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Iterable, Mapping
from textwrap import shorten
from typing import Any, get_args, get_origin

import pydantic

from components.common.errors import ConfigError
from components.common.overrides import setting_error, setting_name
from components.common.patterns import require_no_pattern
from components.common.secrets import has_credentials, mask
from components.common.settings import (
    DEFAULT_SHARD_MIB,
    ColumnSettings,
    GateSettings,
    Settings,
    TextSettings,
)
from components.trainer.models import ARCHITECTURES, load_settings_class
from components.trainer.settings import TrainerSettings
from pipeline.settings.beam import BeamSettings
from pipeline.settings.cloud import CloudSettings
from pipeline.settings.metadata import MetadataSettings
from pipeline.settings.presets import DEFAULT_PRESET, PRESETS
from pipeline.settings.safe_yaml import load_yaml

DEFAULT_ROOT = 'runs'
DEFAULT_NAME = 'sentiment'

_SHOW_HINT = 'print all settings with: pipeline_runner.py config show'


class DataConfig(Settings):
    """The data, and what it must look like."""

    path: str = pydantic.Field(
        min_length=1, description='file, folder, glob, archive, or pattern with {SPAN} or a date'
    )
    spans: int = pydantic.Field(
        1, ge=1, le=100_000, description='of the newest spans, how many are read'
    )
    shard_mib: int = pydantic.Field(
        DEFAULT_SHARD_MIB,
        ge=1,
        le=4_096,
        description='MiB of examples in a shard, before they are packed: what one worker reads or '
        'writes in one go',
    )
    schema_file: str | None = pydantic.Field(
        None, description='Schema as text proto; none: the curated one of the project'
    )
    columns: ColumnSettings = ColumnSettings()


class PipelineConfig(Settings):
    """All that a run is determined by, besides the content of the data."""

    name: str = pydantic.Field(
        DEFAULT_NAME,
        pattern=r'^[a-z0-9][a-z0-9-]{0,62}$',
        description='of the pipeline and its served model; runs of one name share a baseline',
    )
    preset: str = pydantic.Field(
        description=f'what the settings start from: {", ".join(sorted(PRESETS))}; not for --set'
    )
    data: DataConfig
    text: TextSettings
    trainer: TrainerSettings
    gate: GateSettings
    root: str = pydantic.Field(
        DEFAULT_ROOT, min_length=1, description='folder for all results of runs'
    )
    serving_dir: str | None = pydantic.Field(
        None, min_length=1, description='folder for pushed versions; none: below root'
    )
    beam: BeamSettings = BeamSettings()
    metadata: MetadataSettings = MetadataSettings()
    cloud: CloudSettings = CloudSettings()

    @pydantic.model_validator(mode='after')
    def _without_credentials(self) -> PipelineConfig:
        # They are shown, kept with each run, and part of a compiled pipeline.
        places = {
            'data.path': self.data.path,
            'root': self.root,
            'serving_dir': self.serving_dir,
            'cloud.pipeline_root': self.cloud.pipeline_root,
            'cloud.image': self.cloud.image,
            **{f'beam.args.{index}': arg for index, arg in enumerate(self.beam.args)},
            **self.metadata.texts(),
        }
        for name, place in places.items():
            if place is not None and has_credentials(place):
                raise ConfigError(
                    f'{name}: expected a place without user, password or token, got {mask(place)}',
                    hint='give what reads it credentials by its environment or service account',
                )
        return self

    @pydantic.model_validator(mode='after')
    def _without_patterns(self) -> PipelineConfig:
        # What a relative root is below is looked at where it is written to: not all commands do.
        places = {
            'root': self.root,
            'serving_dir': self.serving_dir,
            'cloud.pipeline_root': self.cloud.pipeline_root,
        }
        for name, place in places.items():
            if place is not None:
                require_no_pattern(name, place)
        return self

    @property
    def root_path(self) -> pathlib.Path:
        """`root`, absolute."""
        return pathlib.Path(os.path.abspath(self.root))

    @property
    def pipeline_root(self) -> pathlib.Path:
        """Where the nodes' artifacts go."""
        return self.root_path / 'artifacts' / self.name

    @property
    def serving_path(self) -> pathlib.Path:
        """The folder of versions that a model server watches."""
        if self.serving_dir is not None:
            return pathlib.Path(os.path.abspath(self.serving_dir))
        return serving_path(self.root, self.name)


def serving_path(root: str, name: str) -> pathlib.Path:
    """Return where the versions of pipeline `name` are pushed unless told otherwise."""
    return pathlib.Path(os.path.abspath(root)) / 'serving' / name


def serving_location(
    *, root: str | None = None, name: str | None = None, serving_dir: str | None = None
) -> pathlib.Path:
    """Return the folder of versions that these options mean."""
    if serving_dir is not None:
        return pathlib.Path(os.path.abspath(serving_dir))
    return serving_path(root or DEFAULT_ROOT, name or DEFAULT_NAME)


def load_config(
    *,
    preset: str | None = None,
    file: pathlib.Path | None = None,
    flags: Mapping[str, Any] | None = None,
    settings: Iterable[str] = (),
    data: str | None = None,
) -> PipelineConfig:
    """Build the configuration; each source overrides those before it.

    Args:
        preset: Name of the preset to start from; None for the one that the file
            names, or else the default. It takes the place of the file's, whose
            other settings hold.
        file: YAML file with a tree of settings.
        flags: By dotted name, values from the command line.
        settings: `name=value` from `--set`; the value is read as YAML.
        data: What to take for `data.path` where no source names it; None if one
            must.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: If a preset, setting or value is not known or allowed; the
            message names it.
    """
    from_file = _read_file(file) if file is not None else {}
    chosen = from_file.get('preset', DEFAULT_PRESET) if preset is None else preset
    if not isinstance(chosen, str) or chosen not in PRESETS:
        named = f' (named in {file})' if preset is None else ''
        raise ConfigError(
            f'no preset is called {mask(shorten(repr(chosen), 100))}{named}',
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
                'the preset cannot be set by --set: it is what all settings start from',
                hint=f'say --preset {value.strip() or "NAME"}',
            )
        try:
            parsed = load_yaml(value)
        except ValueError as err:
            shown = mask(shorten(value, 100))
            raise ConfigError(f'the value of {name} is not YAML: {shown!r} ({err})') from err
        _put(tree, name.strip(), parsed)
    try:
        return PipelineConfig.model_validate(tree)
    except pydantic.ValidationError as err:
        raise _config_error(err) from err


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
        # A dictionary has a section for each node.
        inner = f'{prefix}{name}.NODE.' if get_origin(kind) is dict else f'{prefix}{name}.'
        for section in sections:
            names += setting_names(section, inner)
        if not sections:
            names.append(prefix + name)
    return list(dict.fromkeys(names))


def _read_file(file: pathlib.Path) -> Mapping[str, Any]:
    try:
        tree = load_yaml(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as err:
        raise ConfigError(
            f'cannot read the configuration {file}: {err}', hint='expected a YAML file'
        ) from err
    if not isinstance(tree, dict):
        raise ConfigError(
            f'expected settings by name in {file}, got {type(tree).__name__}',
            hint=_SHOW_HINT,
        )
    return tree


def _merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, Mapping) and isinstance(tree.get(name), dict):
            _merge(tree[name], value)
        elif isinstance(value, Mapping):
            tree[name] = {}
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
        return ConfigError(f'the setting {name} is required, and no source sets it', hint=flag)
    return setting_error(err, _SHOW_HINT)
