"""What a store of ML Metadata must be able to do, whatever it is kept in."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

from components.common.errors import ReviewsError

# Of ML Metadata's tables, the same on all stacks.
SCHEMA_VERSION = 10


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
    def back_up(self) -> None:
        """Keep a copy of the store after a run, where that can be done from here."""

    @abc.abstractmethod
    def repair(self) -> list[str]:
        """Make the store usable again; return what was done, a line each.

        Raises:
            ReviewsError: If that cannot be done from here.
        """

    @abc.abstractmethod
    def explain_failure(self, error: BaseException) -> ReviewsError | None:
        """Return what to tell of an error in a run, if it is the store's; None if not."""
