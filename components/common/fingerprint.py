"""Computes a digest of the code that a node runs, for its cache key.

TFX's cache key covers a node's inputs and parameters, but not its code, except the
content of a `module_file`. A node whose code was edited would silently reuse old
outputs. So each node gets this digest as a further parameter.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import pathlib
from collections.abc import Iterable

_PACKAGE = 'components'
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_STACK = ('tfx', 'tensorflow', 'tensorflow-transform', 'tensorflow-model-analysis')


def code_fingerprint(*modules: str, further: str = '') -> str:
    """Return a digest of modules, all modules of `components` that they import, and the stack.

    Imports are read from the source, not executed, so the digest does not depend on
    what was imported before.

    Args:
        modules: Dotted names of modules in `components`.
        further: The digest of other code, such as a user's module.

    Returns:
        64 hexadecimal digits. Two digests are equal if and only if the sources of all
        these modules, the versions of TFX, TensorFlow, TFT and TFMA, and `further` are equal.

    Raises:
        ValueError: If a module does not exist.

    >>> len(code_fingerprint('components.common.features'))
    64
    """
    digest = hashlib.sha256()
    for name in sorted(_reachable(frozenset(modules))):
        digest.update(name.encode() + b'\0' + _source(name).read_bytes() + b'\0')
    for package, version in stack_versions().items():
        digest.update(f'{package}=={version}\n'.encode())
    digest.update(further.encode())
    return digest.hexdigest()


def stack_versions() -> dict[str, str]:
    """Return the versions of TFX, TensorFlow, TFT and TFMA, by package."""
    return {package: importlib.metadata.version(package) for package in _STACK}


def project_modules(names: Iterable[str]) -> frozenset[str]:
    """Return those of some dotted names that are modules of `components`.

    >>> sorted(project_modules(['components.common.features', 'components.nothing', 'keras']))
    ['components.common.features']
    """
    return frozenset(name for name in names if _file(name) is not None)


def _reachable(modules: frozenset[str]) -> set[str]:
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(_imports(name))
    return seen


@functools.cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules of `components` that `module` imports."""
    path = _source(module)
    tree = ast.parse(path.read_text(encoding='utf-8'))
    return project_modules(imported_names(tree, module, is_package=path.name == '__init__.py'))


def imported_names(tree: ast.Module, module: str, *, is_package: bool) -> set[str]:
    """Return the dotted names that a module may import: modules, and attributes of modules.

    >>> sorted(imported_names(ast.parse('from a import b'), 'm', is_package=False))
    ['a', 'a.b']

    Args:
        tree: Its source.
        module: Its dotted name, which relative names start from.
        is_package: Whether it is the `__init__` of a package.
    """
    package = module if is_package else module.rpartition('.')[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split('.')[: len(package.split('.')) - node.level + 1]
            parts = above if node.level else []
            origin = '.'.join(filter(None, [*parts, node.module]))
            found |= {origin, *(f'{origin}.{alias.name}' for alias in node.names)}
    return found


def _source(module: str) -> pathlib.Path:
    path = _file(module)
    if path is None:
        raise ValueError(f'expected a module of {_PACKAGE}, got {module!r}')
    return path


def _file(name: str) -> pathlib.Path | None:
    """Return the file of a module, found without importing its package."""
    first, *rest = name.split('.')
    if first != _PACKAGE:
        return None
    path = _ROOT.joinpath(*rest)
    for candidate in (path / '__init__.py', path.with_suffix('.py')):
        if candidate.is_file():
            return candidate
    return None
