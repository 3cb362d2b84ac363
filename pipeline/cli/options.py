"""Options that several commands share, and the configuration built from them."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline.settings.presets import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from components.common.settings import ColumnSettings
    from pipeline.settings.config import PipelineConfig
    from pipeline.settings.metadata import MetadataSettings

ROOT = click.option(
    '--root', metavar='DIR', help='Folder for the outputs of all runs [default: runs].'
)
NAME = click.option('--name', metavar='NAME', help='Name of the pipeline [default: sentiment].')
SERVING_DIR = click.option(
    '--serving-dir', metavar='DIR', help='Folder for pushed versions [default: ROOT/serving/NAME].'
)
JSON = click.option('--json', 'as_json', is_flag=True, help='Print the result as JSON.')
QUIET = click.option('-q', '--quiet', is_flag=True, help='Print errors only, no progress.')
VERBOSE = click.option('-v', '--verbose', is_flag=True, help='Print the traceback of an error.')

AGAIN = click.option(
    '--again',
    multiple=True,
    metavar='NODE',
    help='Execute NODE and all nodes after it, even if they are cached. Repeatable.',
)

CONFIG_FILE = click.option(
    '--config',
    'config_file',
    type=click.Path(dir_okay=False),
    help='YAML file with settings; options override it.',
)
SET = click.option(
    '--set',
    'settings',
    multiple=True,
    metavar='NAME=VALUE',
    help='Set one setting, such as trainer.seed=5. Repeatable; config show lists all settings.',
)
TEXT_COLUMN = click.option(
    '--text-column', metavar='NAME', help='Column with the text [default: text].'
)
# How the files of tables are read.
FORMAT = (
    click.option(
        '--encoding', metavar='NAME', help='Encoding of text files, such as windows-1252 [utf-8].'
    ),
    click.option(
        '--delimiter',
        metavar='CHARACTER',
        help='Character between the fields of a .csv or .tsv file [default: found by content].',
    ),
    click.option(
        '--quoting',
        metavar='MODE',
        help='minimal: quotes enclose fields of a .csv or .tsv file; none: quotes are text '
        '[default: found by content].',
    ),
    click.option(
        '--no-header',
        'header',
        flag_value=False,
        default=None,
        help='The first line of a .csv or .tsv file is a row; columns are numbers from 1.',
    ),
)
# All settings of a pipeline, except the output folders.
SETTINGS = (
    click.option(
        '--data',
        metavar='PATH',
        help='Training data: a file, folder or quoted glob, or the IMDB archive.',
    ),
    click.option(
        '--spans',
        type=int,
        metavar='N',
        help='Number of newest spans to read, if PATH contains {SPAN} or {YYYY}{MM}{DD} '
        '[default: 1].',
    ),
    click.option(
        '--preset',
        metavar='NAME',
        help=f'Preset: {", ".join(PRESETS)} [default: {DEFAULT_PRESET}].',
    ),
    click.option(
        '--module',
        metavar='MODULE',
        help='Your Python file, or the dotted name of a module, with preprocessing_fn, run_fn or '
        'build_model.',
    ),
    CONFIG_FILE,
    SET,
    TEXT_COLUMN,
    click.option('--label-column', metavar='NAME', help='Column with the label [default: label].'),
    click.option(
        '--split-column',
        metavar='NAME',
        help='Column with the split of each row: train, val or test.',
    ),
    click.option(
        '--group-column',
        metavar='NAME',
        help='Column, such as the film or the author, whose rows with the same value share a '
        'split.',
    ),
    click.option(
        '--positive-label',
        multiple=True,
        metavar='VALUE',
        help='Label value of the positive class; not needed for pairs such as pos and neg. '
        'Repeatable.',
    ),
    click.option(
        '--negative-label',
        multiple=True,
        metavar='VALUE',
        help='Label value of the negative class [default: the one other value]. Repeatable.',
    ),
    click.option(
        '--drop-label',
        multiple=True,
        metavar='VALUE',
        help='Label value of rows that are left out. Repeatable.',
    ),
    *FORMAT,
    click.option(
        '--beam-runner', metavar='NAME', help='Beam runner [default: direct, which is in memory].'
    ),
    NAME,
)
PLACES = (SERVING_DIR, ROOT)
# The folder of pushed versions.
VERSIONS = (SERVING_DIR, ROOT, NAME)
# Placeholder for the data path, for commands that work without data.
NO_DATA = 'PATH'

_SETTING_OF_OPTION = {
    'data': 'data.path',
    'spans': 'data.spans',
    'text_column': 'data.columns.text_column',
    'label_column': 'data.columns.label_column',
    'split_column': 'data.columns.split_column',
    'group_column': 'data.columns.group_column',
    'positive_label': 'data.columns.labels.positive',
    'negative_label': 'data.columns.labels.negative',
    'drop_label': 'data.columns.labels.drop',
    'encoding': 'data.columns.encoding',
    'delimiter': 'data.columns.delimiter',
    'quoting': 'data.columns.quoting',
    'header': 'data.columns.header',
    'beam_runner': 'beam.runner',
    'serving_dir': 'serving_dir',
    'root': 'root',
    'name': 'name',
    'module': 'module',
    'image': 'cloud.image',
    'pipeline_root': 'cloud.pipeline_root',
}

# Names of the options that FORMAT and TEXT_COLUMN add.
_READING = ('text_column', 'encoding', 'delimiter', 'quoting', 'header')


def takes(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Add options to a command, in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def config_of(options: dict[str, Any], *, data: str | None = None) -> PipelineConfig:
    """Build the configuration from the values of the options.

    Args:
        options: Values by option name.
        data: Default of the data path; None if the path is required.

    Raises:
        ConfigError: If a setting is unknown or has an invalid value.
    """
    from pipeline.settings.config import load_config

    file = options['config_file']
    return load_config(
        preset=options.get('preset'),
        file=pathlib.Path(file) if file else None,
        flags={
            setting: options[option]
            for option, setting in _SETTING_OF_OPTION.items()
            # An option that is repeatable and not passed is an empty tuple.
            if options.get(option) not in (None, ())
        },
        settings=options['settings'],
        data=data,
    )


def reading_of(options: dict[str, Any]) -> ColumnSettings:
    """Build the settings that say how a table is read from the values of the options.

    Raises:
        ConfigError: If a setting has an invalid value.
    """
    import pydantic

    from components.common.overrides import setting_error
    from components.common.settings import ColumnSettings

    given = {name: options[name] for name in _READING if options.get(name) is not None}
    try:
        return ColumnSettings.model_validate(given)
    except pydantic.ValidationError as err:
        raise setting_error(err, 'print the options with --help') from err


def metadata_named(config: PipelineConfig) -> MetadataSettings | None:
    """Return the metadata settings if they were given; otherwise None."""
    return config.metadata if 'metadata' in config.model_fields_set else None


def root_path(root: str | None) -> pathlib.Path:
    """Return the folder for the outputs of all runs from the value of its option."""
    from pipeline.settings.config import DEFAULT_ROOT

    return pathlib.Path(os.path.abspath(root or DEFAULT_ROOT))
