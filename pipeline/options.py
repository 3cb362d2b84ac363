"""What commands share on the command line: options, and the settings that they make."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline.beam.runners import RUNNERS
from pipeline.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig
    from pipeline.store.settings import MetadataSettings

ROOT = click.option('--root', metavar='DIR', help='Folder for all that runs write [runs].')
NAME = click.option('--name', metavar='NAME', help='Name of the pipeline [sentiment].')
SERVING_DIR = click.option('--serving-dir', metavar='DIR', help='Folder for pushed versions.')
JSON = click.option('--json', 'as_json', is_flag=True, help='Print JSON for machines.')
QUIET = click.option('-q', '--quiet', is_flag=True, help='Show errors only.')
VERBOSE = click.option('-v', '--verbose', is_flag=True, help='Show the traceback of an error.')

AGAIN = click.option(
    '--again',
    multiple=True,
    metavar='NODE',
    help='Execute this node, and so all after it, whatever the cache holds.',
)

COMPARE = click.option('--compare', is_flag=True, help='Set two runs or more side by side.')
OPEN = click.option('--open', 'open_it', is_flag=True, help='Show it in the browser.')
OUTPUT = click.option(
    '--output', metavar='FILE', help='Make the page anew, there [below the root, once].'
)

CONFIG_FILE = click.option(
    '--config', 'config_file', type=click.Path(dir_okay=False), help='YAML file of settings.'
)
SET = click.option('--set', 'settings', multiple=True, metavar='NAME=VALUE', help='Any setting.')
# All settings of a pipeline, but where it writes.
SETTINGS = (
    click.option('--data', metavar='PATH', help='File, folder, glob, or the IMDB archive.'),
    click.option('--spans', type=int, metavar='N', help='Of the newest spans, how many [1].'),
    click.option(
        '--preset', metavar='NAME', help=f"Start from [the --config file's, or {DEFAULT_PRESET}]."
    ),
    CONFIG_FILE,
    SET,
    click.option('--text-column', metavar='NAME', help='Column with the text [text].'),
    click.option('--label-column', metavar='NAME', help='Column with the label [label].'),
    click.option('--split-column', metavar='NAME', help='Column with train, val or test.'),
    click.option('--positive-label', metavar='VALUE', help='The label that means positive.'),
    click.option(
        '--beam-runner', type=click.Choice(RUNNERS), help='Of nodes that read all data [direct].'
    ),
    NAME,
)
PLACES = (SERVING_DIR, ROOT)
# Where pushed versions are.
VERSIONS = (SERVING_DIR, ROOT, NAME)
# The data, for commands that can do without.
NO_DATA = 'PATH'

_SETTING_OF_OPTION = {
    'data': 'data.path',
    'spans': 'data.spans',
    'text_column': 'data.columns.text_column',
    'label_column': 'data.columns.label_column',
    'split_column': 'data.columns.split_column',
    'positive_label': 'data.columns.positive_label',
    'beam_runner': 'beam.runner',
    'serving_dir': 'serving_dir',
    'root': 'root',
    'name': 'name',
    'image': 'cloud.image',
    'pipeline_root': 'cloud.pipeline_root',
}


def takes(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def given(before: dict[str, str | None], after: dict[str, str | None]) -> dict[str, str | None]:
    """Return the options of a command; those that it was not given, as they stood before it."""
    return {name: before[name] if value is None else value for name, value in after.items()}


def config_of(options: dict[str, Any], *, data: str | None = None) -> PipelineConfig:
    """Build the configuration that the values of these options mean.

    Args:
        options: By name; those that a command has not may be left out.
        data: What to take for the data where nothing names it; None if it must be named.

    Raises:
        ConfigError: If a setting is unknown, or has a value that it can't have.
    """
    from pipeline.config import load_config

    file = options['config_file']
    return load_config(
        preset=options.get('preset'),
        file=pathlib.Path(file) if file else None,
        flags={
            setting: options[option]
            for option, setting in _SETTING_OF_OPTION.items()
            if options.get(option) is not None
        },
        settings=options['settings'],
        data=data,
    )


def metadata_named(config: PipelineConfig) -> MetadataSettings | None:
    """Return where ML Metadata is, if settings say so; None where a root's runs may say it."""
    return config.metadata if 'metadata' in config.model_fields_set else None
