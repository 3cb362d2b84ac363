"""The models that a rollback withdrew: what is told to the runs after it.

They are kept in a hidden file of the folder of versions, so that every step
that can read the folder knows them, on whatever storage it is.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from components.common.atomic_write import atomic_write
from components.common.errors import DataError
from components.common.model_versions import complete_versions, digest_of_model
from components.common.storage import storage_of

WITHDRAWN_FILE = '.withdrawn.json'


class Withdrawal(NamedTuple):
    """That a model may not come back by itself.

    Attributes:
        version: The version that served it.
        at: When it was withdrawn, in UTC, as text.
    """

    version: str
    at: str


def read_withdrawals(serving_dir: str) -> dict[str, Withdrawal]:
    """Return all withdrawals of a folder of versions, by the digest of the model.

    Raises:
        DataError: If they cannot be read: a model that was withdrawn must not
            come back because of that.
    """
    path = posixpath.join(serving_dir, WITHDRAWN_FILE)
    storage = storage_of(path)
    if not storage.exists(path):
        return {}
    try:
        with storage.open(path, 'rb') as file:
            found = json.loads(file.read())
        return {
            str(digest): Withdrawal(str(int(entry['version'])), str(entry['at']))
            for digest, entry in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise DataError(
            f'{path} cannot be read: {err}',
            hint='it names the models that rollbacks withdrew; remove it to forget them',
        ) from err


def withdrawn_models(serving_dir: str) -> dict[str, Withdrawal]:
    """Return what is withdrawn, without what is live all the same.

    A withdrawn version is live if the versions after it were removed by hand, or
    a rollback was killed half way: then it is what people get, and what a
    candidate must be compared with.

    Raises:
        DataError: If the withdrawals cannot be read.
    """
    found = read_withdrawals(serving_dir)
    live = next(complete_versions(serving_dir), None) if found else None
    if live is not None:
        found.pop(digest_of_model(live), None)
    return found


def write_withdrawals(serving_dir: str, withdrawals: Mapping[str, Withdrawal]) -> None:
    """Replace what is withdrawn, at once; the folder is on a disk, and locked.

    Raises:
        OSError: If it cannot be written.
    """
    path = os.path.join(serving_dir, WITHDRAWN_FILE)
    content = json.dumps({d: w._asdict() for d, w in withdrawals.items()}, indent=2)
    atomic_write(path, f'{content}\n')
