"""The models that rollbacks withdrew, which later runs must not push again.

They are listed in a hidden file of the serving folder, where every step that can read
the folder finds them, also in an object store.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from components.common.atomic_write import atomic_write
from components.common.errors import DataError
from components.common.model_versions import complete_versions, digest_of_model
from components.common.storage import storage_of

WITHDRAWN_FILE = '.withdrawn.json'


class Withdrawal(NamedTuple):
    """The withdrawal of a model by a rollback.

    Attributes:
        version: The version that served the model.
        at: Time of the rollback, in UTC, as text.
    """

    version: str
    at: str


def read_withdrawals(serving_dir: str) -> dict[str, Withdrawal]:
    """Return all withdrawals in a serving folder, by the digest of the model.

    Raises:
        DataError: If the file is damaged. No run may go on then, as it could push a
            withdrawn model.
    """
    path = posixpath.join(serving_dir, WITHDRAWN_FILE)
    storage = storage_of(path)
    if not storage.exists(path):
        return {}
    try:
        with storage.GFile(path, 'rb') as file:
            found = json.loads(file.read())
        return {
            str(digest): Withdrawal(str(int(entry['version'])), str(entry['at']))
            for digest, entry in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise DataError(
            f'{path}, the list of withdrawn models, cannot be read: {err}',
            hint='restore it, or remove it; without it, no model is withdrawn',
        ) from err


def withdrawn_models(serving_dir: str) -> dict[str, Withdrawal]:
    """Return the withdrawals, without that of the live version.

    A withdrawn version is live if somebody removed the versions after it, or if a
    rollback was killed halfway. Users get this version then, so a candidate must be
    compared with it.

    Raises:
        DataError: If the file is damaged.

    >>> withdrawn_models('no-such-folder')
    {}
    """
    found = read_withdrawals(serving_dir)
    live = next(complete_versions(serving_dir), None) if found else None
    if live is not None:
        found.pop(digest_of_model(live), None)
    return found


def write_withdrawals(serving_dir: str, withdrawals: Mapping[str, Withdrawal]) -> None:
    """Replace the withdrawals in one atomic step; hold the `serving_lock`.

    Raises:
        OSError: If the file cannot be written.
    """
    text = json.dumps({d: w._asdict() for d, w in withdrawals.items()}, indent=2)
    atomic_write(posixpath.join(serving_dir, WITHDRAWN_FILE), f'{text}\n')
