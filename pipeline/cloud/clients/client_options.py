"""Options of the command line that are arguments of kfp's client."""

from __future__ import annotations

import inspect
import pathlib
import re
import typing
from collections.abc import Sequence
from typing import Any

from components.common import secrets
from components.common.errors import ConfigError

# Arguments of the client that have an option of their own.
_OWN = {
    'host': '--host',
    'namespace': '--namespace',
    'existing_token': '--token-file',
    'credentials': '--token-file',
}
_SECRET = re.compile('cookie|secret|token')


def parse_client_options(assignments: Sequence[str], client: type) -> dict[str, Any]:
    """Parse arguments for a class of kfp's client.

    Args:
        assignments: `NAME=VALUE`, or `NAME=@FILE` for a value in a file. Secret values are
            masked in all output.
        client: The class.

    Returns:
        The values by name, with the types that the class declares.

    Raises:
        ConfigError: If an argument is unknown, repeated or of the wrong type, has an option of
            its own, or its file cannot be read. The message does not contain the value.

    Example:
        >>> parse_client_options(['verify_ssl=false'], kfp.Client)  # doctest: +SKIP
        {'verify_ssl': False}
    """
    types = typing.get_type_hints(client.__init__)  # type: ignore[misc]
    accepted = [name for name in inspect.signature(client).parameters if name not in _OWN]
    known = f'the names are {", ".join(accepted)}'
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, _, text = assignment.partition('=')
        if name in _OWN:
            raise ConfigError(
                f'--client-option {name}: there is an option of its own',
                hint=f'pass {_OWN[name]}',
            )
        if name not in accepted:
            raise ConfigError(
                f'--client-option: the client of the installed kfp has no argument {name!r}',
                hint=known,
            )
        if name in values:
            raise ConfigError(
                f'--client-option {name}: expected once, got it twice', hint='remove one of the two'
            )
        if text.startswith('@'):
            text = _read(name, text[1:])
        if not text:
            raise ConfigError(
                f'--client-option {name}: expected a value',
                hint=f'pass --client-option {name}=VALUE, or {name}=@FILE',
            )
        if _SECRET.search(name):
            secrets.register(text)
        values[name] = _parse(name, text, types[name])
    return values


def _read(name: str, file: str) -> str:
    try:
        return pathlib.Path(file).read_text(encoding='utf-8').strip()
    except (OSError, UnicodeError) as err:
        reason = getattr(err, 'strerror', None) or 'it is not text'
        raise ConfigError(
            f'--client-option {name}: cannot read {file}: {reason}',
            hint='pass a text file that you may read',
        ) from err


def _parse(name: str, text: str, kind: Any) -> Any:
    import pydantic

    try:
        return pydantic.TypeAdapter(kind).validate_strings(text)
    except pydantic.ValidationError as err:
        raise ConfigError(
            f'--client-option {name}: {err.errors()[0]["msg"].lower()}',
            hint='pass a value of this type',
        ) from err
