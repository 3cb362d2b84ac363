"""Finds a user's module, and reads from its source what it defines and imports.

Nothing is imported here: the command line reads a module before TensorFlow is loaded.
"""

from __future__ import annotations

import ast
import hashlib
import os
import pathlib
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any, NamedTuple

from components.common.errors import ConfigError
from components.common.fingerprint import imported_names, project_modules

PREPROCESSING_FN = 'preprocessing_fn'
RUN_FN = 'run_fn'
BUILD_MODEL = 'build_model'
FUNCTIONS = (PREPROCESSING_FN, RUN_FN, BUILD_MODEL)
# In the custom_config of a node: how to find the module; and the folder of the raw examples, if
# the Trainer gets transformed ones.
MODULE_KEY = 'module'
RAW_EXAMPLES_KEY = 'raw_examples'

_HINT = 'pass a file, such as --module my_model.py, or the dotted name of an installed module'


class ModuleReference(NamedTuple):
    """How a worker finds a user's module.

    Attributes:
        name: Its dotted name.
        folder: The folder to import it from; empty if Python finds it anyway, as in an image.
        digest: Digest of its source and of the modules beside it, see `UserModule`; empty for
            a module of an installed package, whose version is a matter of the environment.
    """

    name: str
    folder: str = ''
    digest: str = ''


class UserModule(NamedTuple):
    """A module that was found.

    Attributes:
        name: Its dotted name.
        file: Its source.
        folder: The folder that it is imported from.
        functions: Which of `FUNCTIONS` it defines, each with the names of its arguments.
        sources: By dotted name, its source and those of the modules beside it that it imports,
            directly or not. For a module of a package that is installed, the folder of the
            module counts, otherwise the whole folder that it is imported from.
        project: Dotted names of the modules of this project that these import.
        installed: Whether it is part of an installed package.
    """

    name: str
    file: pathlib.Path
    folder: pathlib.Path
    functions: dict[str, tuple[str, ...]]
    sources: dict[str, pathlib.Path]
    project: frozenset[str]
    installed: bool

    @property
    def digest(self) -> str:
        """Return 64 hexadecimal digits, which are equal if and only if all sources are."""
        return digest_of(self.sources)

    @property
    def trains(self) -> bool:
        """Whether it has a model of its own."""
        return RUN_FN in self.functions or BUILD_MODEL in self.functions

    def reference(self, *, local: bool) -> dict[str, Any]:
        """Return how a worker finds it, as JSON values.

        Args:
            local: Whether the worker runs on this machine.
        """
        return ModuleReference(
            self.name,
            folder='' if self.installed or not local else str(self.folder),
            digest='' if self.installed else self.digest,
        )._asdict()


def find_module(module: str) -> UserModule:
    """Find a module, and read its source.

    Args:
        module: Path of a file, or dotted name of a module that Python can import.

    Raises:
        ConfigError: If there is no such module, Python would import another one of this
            name, its source is not Python, or it defines none of `FUNCTIONS`.

    Example:
        >>> found = find_module('components.transform.preprocessing')
        >>> list(found.functions)
        ['preprocessing_fn']
    """
    is_file = module.endswith('.py') or os.sep in module
    if is_file:
        name, file, folder, scope = _of_file(module)
    else:
        name, file, folder, scope = _of_name(module)
    sources, imported = _reachable(name, folder, scope)
    if is_file:
        for other in sorted({source.partition('.')[0] for source in sources}):
            _require_own_name(other, folder)
    functions = _functions(file)
    if not functions:
        raise ConfigError(
            f'the module {module} defines none of {", ".join(FUNCTIONS)}',
            hint='define one of them at its top level; docs/extending.md has an example of each',
        )
    if RUN_FN in functions and BUILD_MODEL in functions:
        raise ConfigError(
            f'the module {module} defines both {RUN_FN} and {BUILD_MODEL}',
            hint='keep one of them: either trains the model',
        )
    return UserModule(
        name, file, folder, functions, sources, project_modules(imported), is_installed(file)
    )


def digest_of(sources: dict[str, pathlib.Path]) -> str:
    """Return the digest of the sources of modules by dotted name."""
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(name.encode() + b'\0' + path.read_bytes() + b'\0')
    return digest.hexdigest()


def sources_of(name: str, file: pathlib.Path) -> dict[str, pathlib.Path]:
    """Return the `sources` of a module that was imported."""
    depth = name.count('.') + (file.name == '__init__.py')
    folder = file.parents[depth]
    return _reachable(name, folder, _scope(name, file))[0]


def _of_file(path: str) -> tuple[str, pathlib.Path, pathlib.Path, str]:
    file = pathlib.Path(os.path.abspath(path))
    if not file.is_file() or file.suffix != '.py':
        raise ConfigError(f'there is no Python file {path}', hint=_HINT)
    if not file.stem.isidentifier():
        raise ConfigError(
            f'a module cannot have the name {file.stem!r}',
            hint='rename the file to letters, digits and underscores',
        )
    return file.stem, file, file.parent, ''


def _of_name(name: str) -> tuple[str, pathlib.Path, pathlib.Path, str]:
    if all(part.isidentifier() for part in name.split('.')):
        for folder in map(pathlib.Path, filter(None, sys.path)):
            # Python imports the first package of this name, whether it has the module or not.
            if _file(name.partition('.')[0], folder, '') is not None:
                file = _file(name, folder, '')
                if file is not None:
                    return name, file, folder, _scope(name, file)
                break
    raise ConfigError(f'Python finds no module {name}', hint=_HINT)


def _scope(name: str, file: pathlib.Path) -> str:
    """Return the package whose modules count as beside a module; empty: all of its folder."""
    if is_installed(file):
        return name.rpartition('.')[0] or name
    return name.partition('.')[0] if '.' in name else ''


def is_installed(file: pathlib.Path) -> bool:
    """Return whether a file is part of Python or of an installed package."""
    paths = sysconfig.get_paths()
    return any(file.is_relative_to(paths[key]) for key in ('purelib', 'platlib', 'stdlib'))


def _require_own_name(name: str, folder: pathlib.Path) -> None:
    """Refuse a module that Python would not import, since another one has its name."""
    paths = map(pathlib.Path, filter(None, sys.path))
    others = (path for path in paths if path.resolve() != folder.resolve())
    found = (_file(name, path, '') or next(path.glob(f'{name}.*.so'), None) for path in others)
    taken = 'Python itself' if name in sys.stdlib_module_names else next(filter(None, found), None)
    if taken is not None:
        raise ConfigError(
            f'the module name {name} is taken by {taken}',
            hint=f'rename {name}.py: Python would import the other module',
        )


def _functions(file: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Return which of `FUNCTIONS` a module defines or imports, with its arguments if known."""
    found: dict[str, tuple[str, ...]] = {}
    for node in _parse(file).body:
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            names = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
            found[node.name] = tuple(each.arg for each in names)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: () for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id: () for target in node.targets if isinstance(target, ast.Name)}
    return {name: found[name] for name in FUNCTIONS if name in found}


def _parse(file: pathlib.Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as err:
        line = f', line {err.lineno}' if isinstance(err, SyntaxError) and err.lineno else ''
        reason = err.msg if isinstance(err, SyntaxError) else err
        raise ConfigError(
            f'{file}{line}: the module is not Python: {reason}', hint='correct it'
        ) from err
    except OSError as err:
        raise ConfigError(f'cannot read {file}: {err}', hint=_HINT) from err


def _reachable(
    name: str, folder: pathlib.Path, scope: str
) -> tuple[dict[str, pathlib.Path], set[str]]:
    """Return the sources of a module and of those beside it, and all names that they import."""
    found: dict[str, pathlib.Path] = {}
    imported: set[str] = set()
    queue = [name]
    while queue:
        one = queue.pop()
        path = _file(one, folder, scope)
        if one in found or path is None:
            continue
        found[one] = path
        names = imported_names(_parse(path), one, is_package=path.name == '__init__.py')
        imported |= names
        # The packages above a module are imported, too.
        queue.extend([*names, *_parents(one)])
    return found, imported


def _parents(name: str) -> Iterator[str]:
    while '.' in name:
        name = name.rpartition('.')[0]
        yield name


def _file(name: str, folder: pathlib.Path, scope: str) -> pathlib.Path | None:
    if scope and name != scope and not name.startswith(f'{scope}.'):
        return None
    path = folder.joinpath(*name.split('.'))
    for candidate in (path / '__init__.py', path.with_suffix('.py')):
        if candidate.is_file():
            return candidate
    return None
