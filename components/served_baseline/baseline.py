"""Finds the baseline: the served version that a candidate is compared with."""

from __future__ import annotations

import json
import posixpath
import shlex
from typing import NamedTuple

from components.common.errors import ConfigError, StoreError
from components.common.model_identity import identity_of_model, names_of_model
from components.common.model_versions import complete_versions, digest_of_model, recorded_digest
from components.common.rollback_state import withdrawn_models
from components.common.storage import storage_of

# Files in a baseline artifact. They stay valid when the artifact is copied elsewhere.
NO_BASELINE_FILE = 'NO_BASELINE'
VERSION_FILE = 'served_version.json'


class ServedVersion(NamedTuple):
    """A version in the serving folder.

    Attributes:
        version: Its number, as text.
        digest: SHA-256 of its model, see `digest_of_model`.
    """

    version: str
    digest: str


class BaselineChangedError(ConfigError):
    """What is served changed after the candidate was compared with it."""


def find_baseline(serving_dir: str, candidate: str) -> ServedVersion | None:
    """Find the baseline: the latest version that is neither the candidate nor withdrawn.

    When a run is repeated, the candidate itself is live. It is left out, as it
    would be compared with itself, and the version before it is the baseline.

    Args:
        serving_dir: Folder of the pushed versions.
        candidate: Folder of the candidate's SavedModel.

    Returns:
        None if there is no such version.

    Raises:
        StoreError: If that version is damaged, so it cannot be compared with.
        DataError: If the withdrawn versions cannot be read.

    Example:
        >>> find_baseline('runs/serving/sentiment', 'model')  # nothing was pushed yet
    """
    paths = list(complete_versions(serving_dir))
    if not paths:
        return None
    left_out = {*names_of_model(candidate), *withdrawn_models(serving_dir)}
    for path in paths:
        try:
            recorded, digest = recorded_digest(path), digest_of_model(path)
        except OSError as err:
            raise damaged_version(path, str(err)) from err
        if (recorded or digest) in left_out:
            continue
        if recorded not in (None, digest):
            raise damaged_version(path, 'its files do not have the digest that was recorded')
        if identity_of_model(path) in left_out:
            continue
        return ServedVersion(posixpath.basename(path), digest)
    return None


def damaged_version(path: str, reason: str) -> StoreError:
    """Return the error for a baseline that cannot be trusted."""
    return StoreError(
        f'the served version {path} is damaged, so the candidate cannot be compared with it: '
        f'{reason}',
        hint=f'restore its files, or run rm -r {shlex.quote(path)}: the version before it is '
        'the baseline then',
    )


def read_baseline(baseline_uri: str) -> ServedVersion | None:
    """Return the version in a baseline artifact, None if there is none."""
    if is_absent(baseline_uri):
        return None
    path = posixpath.join(baseline_uri, VERSION_FILE)
    with storage_of(path).GFile(path, 'rb') as file:
        return ServedVersion(**json.loads(file.read()))


def is_absent(baseline_uri: str) -> bool:
    """Return whether a baseline artifact says that there is no baseline."""
    path = posixpath.join(baseline_uri, NO_BASELINE_FILE)
    return bool(storage_of(path).exists(path))


def require_baseline(serving_dir: str, candidate: str, compared: ServedVersion | None) -> None:
    """Check that the baseline is still the version that the candidate was compared with.

    Another run, or a rollback, may have changed what is served since, and the
    candidate may be worse than that.

    Args:
        serving_dir: Folder of the pushed versions; hold its `serving_lock`.
        candidate: Folder of the candidate's SavedModel.
        compared: The version that the candidate was compared with.

    Raises:
        BaselineChangedError: If the baseline is another model now.
        StoreError, DataError: See `find_baseline`.
    """
    found = find_baseline(serving_dir, candidate)
    if (found and found.digest) == (compared and compared.digest):
        return
    was, now = (f'version {served.version}' if served else 'none' for served in (compared, found))
    raise BaselineChangedError(
        f'nothing was pushed: the baseline changed from {was} to {now} during the run',
        hint='run the same command again: it compares the candidate with the new baseline',
    )
