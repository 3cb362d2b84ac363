"""The interface of a metadata store, which is a file or a database on a server."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

from components.common.errors import ReviewsError

# Schema of ML Metadata's tables, the same on all stacks.
SCHEMA_VERSION = 10


class OwnContext(NamedTuple):
    """Type and name of ML Metadata's context for the executions of one root."""

    kind: str
    name: str


class Backend(abc.ABC):
    """The metadata store of the runs below a pipeline root.

    Attributes:
        where: Description of the store, for messages.
        shared: Whether other roots use the store, too.
    """

    where: str
    shared: bool

    @abc.abstractmethod
    def connection(self) -> Any:
        """Return the ConnectionConfig of a run, which may contain a password: never print it.

        Raises:
            ConfigError: If the password cannot be read.
        """

    @abc.abstractmethod
    def reader(self) -> Any | None:
        """Return a ConnectionConfig for reading; None if nothing was written yet.

        Raises:
            ReviewsError: If the store cannot be used.
        """

    @abc.abstractmethod
    def require_usable(self) -> None:
        """Check that a run can use the store.

        Raises:
            ReviewsError: If it cannot.
        """

    @abc.abstractmethod
    def open_for_run(self) -> str:
        """Prepare the store for a run; return a message for the user, or ''.

        Raises:
            ReviewsError: If the store does not fit the artifacts below the root.
        """

    @abc.abstractmethod
    def claim(self, run_id: str) -> None:
        """Reserve a run id, so that no run of another root uses it.

        Raises:
            FileExistsError: If another run has reserved it.
        """

    @abc.abstractmethod
    def own_context(self, name: str) -> OwnContext:
        """Return the context for all executions of the pipeline `name` below this root."""

    @abc.abstractmethod
    def own_executions(self, store: Any) -> set[int] | None:
        """Return the ids of this root's executions in a MetadataStore; None for all executions."""

    @abc.abstractmethod
    def back_up(self) -> None:
        """Make a backup copy after a run, unless the administrator of a server makes backups."""

    @abc.abstractmethod
    def repair(self) -> list[str]:
        """Make the store usable again.

        Returns:
            What was done, a line each; empty if nothing was wrong.

        Raises:
            ReviewsError: If the store cannot be repaired.
        """

    @abc.abstractmethod
    def explain_failure(self, error: BaseException) -> ReviewsError | None:
        """Return an error if the store made a run fail; None if another cause did."""
