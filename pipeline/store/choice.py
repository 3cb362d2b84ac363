"""Chooses the store of ML Metadata: a file below the root, or a MySQL server."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import pydantic

from components.common.overrides import setting_error
from pipeline.results import outcome as outcomes
from pipeline.settings.config import PipelineConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.mysql import MysqlBackend
from pipeline.store.sqlite import SqliteBackend

# Both have the same methods, which SqliteBackend describes.
Backend = SqliteBackend | MysqlBackend


def backend_of(config: PipelineConfig) -> Backend:
    """Return the store of the runs with these settings.

    Example:
        backend_of(config).connection()
    """
    return _backend(config.metadata, config.root_path)


def backend_of_run(config: Mapping[str, Any], root: pathlib.Path) -> Backend:
    """Return the store of a recorded run.

    Args:
        config: Its effective settings. Records of older versions lack the settings
            of the store, because it was always the file.
        root: The folder for all that runs write.

    Raises:
        ConfigError: If the settings of the store are not valid.
    """
    try:
        settings = MetadataSettings.model_validate(config.get('metadata', {}))
    except pydantic.ValidationError as err:
        raise setting_error(err, 'the record of a run has them: `runs` lists the records') from err
    return _backend(settings, root)


def backend_of_root(root: pathlib.Path, settings: MetadataSettings | None) -> Backend:
    """Return the store that is configured, or that of the latest run below a root."""
    if settings is not None:
        return _backend(settings, root)
    records = outcomes.load_records(root, lambda line: None)
    return backend_of_run(records[-1].config if records else {}, root)


def _backend(settings: MetadataSettings, root: pathlib.Path) -> Backend:
    return MysqlBackend(settings, root) if settings.backend == 'mysql' else SqliteBackend(root)
