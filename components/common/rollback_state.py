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
from components.common.model_identity import identity_of_model, is_current, names_of_model
from components.common.model_versions import complete_versions, digest_of_model
from components.common.storage import storage_of

WITHDRAWN_FILE = '.withdrawn.json'


class Withdrawal(NamedTuple):
    """The withdrawal of a model by a rollback.

    Attributes:
        version: The version that served the model.
        at: Time of the rollback, in UTC, as text.
        identity: The `identity_of_model`, empty if it was not recorded.
    """

    version: str
    at: str
    identity: str = ''


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
            str(digest): Withdrawal(
                str(int(entry['version'])), str(entry['at']), str(entry.get('identity', ''))
            )
            for digest, entry in found.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise DataError(
            f'{path}, the list of withdrawn models, cannot be read: {err}',
            hint='restore it, or remove it; without it, no model is withdrawn',
        ) from err


def withdrawn_models(serving_dir: str) -> dict[str, Withdrawal]:
    """Return the withdrawals, without that of the live version, by each name of the model.

    A withdrawn version is live if somebody removed the versions after it, or if a
    rollback was killed halfway. Users get this version then, so a candidate must be
    compared with it.

    Returns:
        Withdrawals by digest and by identity, see `names_of_model`.

    Raises:
        DataError: If the file is damaged.

    >>> withdrawn_models('no-such-folder')
    {}
    """
    found = with_identities(serving_dir, read_withdrawals(serving_dir))
    live = next(complete_versions(serving_dir), None) if found else None
    names = names_of_model(live) if live is not None else frozenset()
    return {
        name: withdrawal
        for digest, withdrawal in found.items()
        if not names & {digest, withdrawal.identity}
        for name in (digest, withdrawal.identity)
        if name
    }


def record_identities(serving_dir: str) -> None:
    """Record what the withdrawn models compute, while their files exist.

    Hold the `serving_lock`. A rollback records them itself; what an earlier version of this
    project withdrew, or a rollback that was killed, may have none.

    Raises:
        DataError: If the file is damaged.
        OSError: If the file cannot be written.
    """
    before = read_withdrawals(serving_dir)
    after = with_identities(serving_dir, before)
    if after != before:
        write_withdrawals(serving_dir, after)


def write_withdrawals(serving_dir: str, withdrawals: Mapping[str, Withdrawal]) -> None:
    """Replace the withdrawals in one atomic step; hold the `serving_lock`.

    Raises:
        OSError: If the file cannot be written.
    """
    text = json.dumps({d: w._asdict() for d, w in withdrawals.items()}, indent=2)
    atomic_write(posixpath.join(serving_dir, WITHDRAWN_FILE), f'{text}\n')


def with_identities(
    serving_dir: str, withdrawals: Mapping[str, Withdrawal]
) -> dict[str, Withdrawal]:
    """Return the withdrawals, with the identities of those whose files still exist.

    A model whose files are gone is known by its digest alone.

    Args:
        serving_dir: The serving folder.
        withdrawals: See `read_withdrawals`.

    >>> with_identities('no-such-folder', {})
    {}
    """
    missing = {digest for digest, found in withdrawals.items() if not is_current(found.identity)}
    identities = {}
    for path in complete_versions(serving_dir) if missing else ():
        digest = digest_of_model(path)
        if digest in missing:
            identities[digest] = identity_of_model(path)
    return {
        digest: found._replace(identity=identities.get(digest, found.identity))
        for digest, found in withdrawals.items()
    }
