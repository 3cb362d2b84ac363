"""Loads a user's module where it runs, and turns its errors into one that names the place."""

from __future__ import annotations

import importlib
import pathlib
import sys
import traceback
from types import ModuleType
from typing import Any

from components.common.errors import ComponentError, ReviewsError
from components.user_module.source import ModuleReference, digest_of, is_installed, sources_of

_IMAGE_HINT = (
    'a local run finds it again if you run the same command; for a service, build the image again: '
    'compile prints the lines that its Dockerfile needs'
)
_PROJECT = pathlib.Path(__file__).resolve().parents[1]
# Digest of what was imported in this process, by name of the module.
_loaded: dict[str, str] = {}


def load_module(reference: dict[str, Any]) -> ModuleType:
    """Import a user's module.

    Args:
        reference: The fields of `ModuleReference`.

    Raises:
        ComponentError: If it cannot be imported, or is not the one that the pipeline was
            created with.
    """
    wanted = ModuleReference(**reference)
    if _loaded.get(wanted.name, wanted.digest) != wanted.digest:
        # A notebook or a test imported it before it was edited.
        for name in _sources(sys.modules[wanted.name]):
            sys.modules.pop(name, None)
    if wanted.folder and wanted.folder not in sys.path:
        # At the end: a file of the user must not replace a package that TFX imports later.
        sys.path.append(wanted.folder)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(wanted.name)
    except (Exception, SystemExit) as err:
        missing = err.name if isinstance(err, ModuleNotFoundError) else None
        if missing and f'{wanted.name}.'.startswith(f'{missing}.'):
            raise ComponentError(
                f'Python finds no module {wanted.name} here', hint=_IMAGE_HINT
            ) from err
        raise _error(f'the module {wanted.name} cannot be imported', err) from err
    if wanted.digest and digest_of(_sources(module)) != wanted.digest:
        raise ComponentError(
            f'{module.__file__} is not the module {wanted.name} that the pipeline was created '
            'with: it, or a module beside it, has another content',
            hint=_IMAGE_HINT,
        )
    _loaded[wanted.name] = wanted.digest
    return module


def call(reference: dict[str, Any], function: str, *args: Any, **kwargs: Any) -> Any:
    """Call a function of a user's module.

    Args:
        reference: The fields of `ModuleReference`.
        function: Its name.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Raises:
        ComponentError: If the module cannot be loaded, has no such function, or the function
            raises an exception.
    """
    module = load_module(reference)
    called = getattr(module, function, None)
    if not callable(called):
        raise ComponentError(
            f'{module.__file__} has no function {function}', hint='define it at the top level'
        )
    try:
        return called(*args, **kwargs)
    except ReviewsError:
        raise
    except (Exception, SystemExit) as err:
        raise _error(f'{function} of the module {module.__name__} failed', err) from err


def _sources(module: ModuleType) -> dict[str, pathlib.Path]:
    return sources_of(module.__name__, pathlib.Path(module.__file__ or ''))


def _error(what: str, err: BaseException) -> ComponentError:
    # In a traced function, TensorFlow puts its own traceback before the message.
    lines = str(err).strip().splitlines()
    reason = lines[-1].strip() if 'in user code' in str(err) else ' '.join(lines)
    return ComponentError(
        f'{what}{_place(err)}: {type(err).__name__}: {reason}',
        hint='correct the module; the log has the traceback',
    )


def _place(err: BaseException) -> str:
    if isinstance(err, SyntaxError):
        return f' at {err.filename}, line {err.lineno}'
    own = [
        frame
        for frame in traceback.extract_tb(err.__traceback__)
        if (path := pathlib.Path(frame.filename)).is_file()
        and not path.is_relative_to(_PROJECT)
        and not is_installed(path)
    ]
    return f' at {own[-1].filename}, line {own[-1].lineno}' if own else ''
