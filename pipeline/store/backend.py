"""Where ML Metadata keeps what it knows: one way in, for all that opens it."""

from __future__ import annotations

import abc
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import pydantic

from components.errors import ReviewsError
from components.overrides import refusal
from pipeline import outcome as outcomes
from pipeline.config import PipelineConfig
from pipeline.store.settings import MetadataSettings


class OwnContext(NamedTuple):
    """Type and name of the context that ML Metadata has of what runs of one root execute."""

    kind: str
    name: str


class Backend(abc.ABC):
    """The store of the runs below a root.

    Attributes:
        where: The store, as a person is told of it.
        shared: Whether runs of other roots are in it, too.
    """

    where: str
    shared: bool

    @abc.abstractmethod
    def connection(self) -> Any:
        """Return the ConnectionConfig of a run, which may hold a password: never show it.

        Raises:
            ConfigError: If the password cannot be read.
        """

    @abc.abstractmethod
    def reader(self) -> Any | None:
        """Return a ConnectionConfig to read by; None if nothing was written yet.

        Raises:
            ReviewsError: If the store cannot be used.
        """

    @abc.abstractmethod
    def require_usable(self) -> None:
        """Check that a run can use the store.

        Raises:
            ReviewsError: If not.
        """

    @abc.abstractmethod
    def open_for_run(self) -> str:
        """Make the store ready for a run; return what a person should know, or nothing.

        Raises:
            ReviewsError: If it does not go with what is below the root.
        """

    @abc.abstractmethod
    def claim(self, run_id: str) -> None:
        """Take the name of a run, so that no run of another root takes it.

        Raises:
            FileExistsError: If one has taken it.
        """

    @abc.abstractmethod
    def own_context(self, name: str) -> OwnContext:
        """Return the context of all executions of a pipeline that are of this root.

        Args:
            name: Of the pipeline.
        """

    @abc.abstractmethod
    def own_executions(self, store: Any) -> set[int] | None:
        """Return the ids of all executions of this root; None if there are no others.

        Args:
            store: The MetadataStore.
        """

    @abc.abstractmethod
    def keep_copy(self) -> None:
        """Keep a copy of the store after a run, where that can be done from here."""

    @abc.abstractmethod
    def mend(self) -> list[str]:
        """Make the store usable again; return what was done, a line each.

        Raises:
            ReviewsError: If that cannot be done from here.
        """

    @abc.abstractmethod
    def failure(self, error: BaseException) -> ReviewsError | None:
        """Return what to tell of an error in a run, if it is the store's; None if not."""


def backend(settings: MetadataSettings, root: pathlib.Path) -> Backend:
    """Return the store that settings mean.

    Args:
        settings: The settings of ML Metadata.
        root: The folder for all that runs write.
    """
    # They know this module.
    from pipeline.store.mysql import MysqlBackend
    from pipeline.store.sqlite import SqliteBackend

    return MysqlBackend(settings, root) if settings.backend == 'mysql' else SqliteBackend(root)


def backend_of(config: PipelineConfig) -> Backend:
    """Return the store of a run."""
    return backend(config.metadata, config.root_path)


def backend_of_run(config: Mapping[str, Any], root: pathlib.Path) -> Backend:
    """Return the store of a run that was recorded.

    Args:
        config: Its effective settings; older ones know of no metadata, and mean the file.
        root: The folder for all that runs write.

    Raises:
        ConfigError: If it was recorded by a version that knows others.
    """
    try:
        settings = MetadataSettings.model_validate(config.get('metadata', {}))
    except pydantic.ValidationError as err:
        raise refusal(err, 'the record of a run says so: `runs` lists them') from err
    return backend(settings, root)


def backend_of_root(root: pathlib.Path, settings: MetadataSettings | None) -> Backend:
    """Return the store that is named, or else that of the latest run below a root."""
    if settings is not None:
        return backend(settings, root)
    records = outcomes.load_records(root, lambda line: None)
    return backend_of_run(records[-1]['config'] if records else {}, root)
