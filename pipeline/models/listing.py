"""Lists the pushed versions of a model, with the runs that pushed them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from components.common.errors import ConfigError, DataError
from components.common.model_versions import digest_of_model, restored_by
from components.common.rollback_state import Withdrawal, read_withdrawals
from components.common.storage import is_remote
from pipeline.models import versions
from pipeline.results import outcome as outcomes
from pipeline.results.outcome import models_command
from pipeline.settings.config import DEFAULT_ROOT, serving_location


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServingFolder:
    """A serving folder, given by the options of a command.

    Attributes:
        root: The folder for all that runs write, None for the default.
        name: Name of the pipeline, None for the default.
        serving_dir: The serving folder, None for the one below the root.

    Example:
        [version.name for version in list_versions(ServingFolder(root='runs'))]
    """

    root: str | None = None
    name: str | None = None
    serving_dir: str | None = None

    @property
    def root_path(self) -> pathlib.Path:
        """The folder for all that runs write."""
        return pathlib.Path(os.path.abspath(self.root or DEFAULT_ROOT))

    @property
    def path(self) -> pathlib.Path:
        """The path of the serving folder.

        Raises:
            ConfigError: If it is in an object store.
        """
        if self.serving_dir is not None and is_remote(self.serving_dir):
            raise ConfigError(
                f'expected a folder on a disk, got --serving-dir {self.serving_dir}',
                hint='an object store cannot rename folders: roll back as docs/cloud.md explains',
            )
        return serving_location(root=self.root, name=self.name, serving_dir=self.serving_dir)

    def command(self, what: str) -> str:
        """Return the command line of the group `models` that does `what` in this folder."""
        return models_command(what, dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
    """A pushed version.

    Attributes:
        path: Its folder.
        live: Whether it is the live version.
        restores: The version that it is a copy of, if a rollback made it.
        withdrawal: The withdrawal of its model, None if it is not withdrawn.
        run_id: The run that pushed the model, None if it is not known.
        binary_accuracy: Accuracy on the test split in that run, None if it is not known.
    """

    path: pathlib.Path
    live: bool
    restores: str | None
    withdrawal: Withdrawal | None
    run_id: str | None
    binary_accuracy: float | None

    @property
    def name(self) -> str:
        """Its number, as text."""
        return self.path.name

    @property
    def origin(self) -> int:
        """The number under which the pipeline pushed this model."""
        return int(self.restores or self.name)

    def to_json(self) -> dict[str, Any]:
        """Return the values that `models --json` prints."""
        return {
            'version': self.name,
            'live': self.live,
            'restores': self.restores,
            'withdrawn': self.withdrawal.at if self.withdrawal else None,
            'path': str(self.path),
            'run_id': self.run_id,
            'binary_accuracy': self.binary_accuracy,
        }


def list_versions(folder: ServingFolder) -> list[Version]:
    """Return all versions, oldest first.

    Raises:
        ConfigError: If the folder is in an object store.
        DataError: If a version or the list of withdrawn versions is damaged.
    """
    serving_dir = folder.path
    paths = versions.versions(serving_dir)
    withdrawals = read_withdrawals(str(serving_dir))
    records = outcomes.load_records(folder.root_path)
    pushes = {record.pushed.path: record for record in records if record.pushed}
    described = (_describe(path, path == paths[-1], withdrawals, pushes) for path in paths)
    return [version for version in described if version is not None]


def require_versions(folder: ServingFolder) -> list[Version]:
    """Return all versions, oldest first, at least one.

    Raises:
        ConfigError: If the folder is in an object store.
        DataError: If there is none, or if a version or the list of withdrawn versions is
            damaged.
    """
    found = list_versions(folder)
    if not found:
        raise DataError(f'no model was pushed to {folder.path}', hint='run the pipeline first')
    return found


def _describe(
    path: pathlib.Path,
    live: bool,
    withdrawals: Mapping[str, Withdrawal],
    pushes: Mapping[str, outcomes.RunOutcome],
) -> Version | None:
    try:
        restored = restored_by(str(path))
        withdrawal = withdrawals.get(digest_of_model(str(path))) if withdrawals else None
    except (OSError, ValueError) as err:
        if not path.exists():
            return None  # pruned in the meantime: listing does not hold the lock
        raise DataError(f'version {path.name} is damaged: {err}', hint='remove its folder') from err
    pushed_as = path.parent / restored.version if restored else path
    record = pushes.get(str(pushed_as))
    return Version(
        path=path,
        live=live,
        restores=restored.version if restored else None,
        withdrawal=None if live else withdrawal,
        run_id=record.run_id if record else None,
        binary_accuracy=record.metrics.get('binary_accuracy') if record else None,
    )
