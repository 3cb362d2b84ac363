"""Checks that only one module has code for differences between stacks."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

import pytest

from components.common import stacks
from requirements.stacks import STACKS
from tests.conftest import REPO

_MODULE = 'components/common/stacks.py'
# Modules that may ask for versions, and why; none of them branches on one.
_MAY_ASK_VERSIONS = {
    'components/common/fingerprint.py',  # they are part of each node's cache key
    'components/pusher/model_card.py',  # the card names them
    'pipeline/local/runner.py',  # the record of the run names Python's
    'pipeline/doctor/installation.py',  # compares them with the locks
}
# Modules that go on without another module of this project, and why.
_MAY_DO_WITHOUT = {
    'components/transform/executor.py',  # TFX's executor runs if TFT has other private names
}
_FRAMEWORKS = re.compile(
    r'tfx|tensorflow|keras|tf|ml_metadata|tensorboard|apache_beam|kfp|google|numpy|scipy|pyarrow'
)
_VERSION_QUERY = re.compile(
    r'sys\.(?:version|hexversion)\w*|import (?:version|version_info|find_spec)\b|__version__'
    r'|platform\.python_version|(?:metadata|tf)\.version|version\.parse|get_distribution|find_spec\('
)
_NAMED_VERSION = re.compile(
    r'\b(?:TFX|TF|TensorFlow|Keras|TFT|TFMA|TFDV|TensorBoard|Beam|kfp|KFP|protobuf|[Nn]um[Pp]y|'
    r'SciPy|pyarrow|Arrow|ML Metadata|MLMD|Python)\s+v?\d+\.\d+'
)


def find_version_code(path: str, code: str) -> list[str]:
    """Return where a module handles differences of versions, as `PATH:LINE: what`."""
    tree = ast.parse(code)
    imports = [] if path in _MAY_DO_WITHOUT else _find_fallback_imports(tree)
    found = [*imports, *_find_attribute_checks(tree)]
    for pattern in (_NAMED_VERSION, _VERSION_QUERY)[: 1 if path in _MAY_ASK_VERSIONS else 2]:
        for match in pattern.finditer(code):
            found.append((code.count('\n', 0, match.start()) + 1, ' '.join(match[0].split())))
    return [f'{path}:{line}: {what}' for line, what in sorted(found)]


def _find_fallback_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and re.search(r'(?m)^(import|from) ', _unparse(node.body)):
            for handler in node.handlers:
                caught = ast.unparse(handler.type) if handler.type else ''
                missing = re.search(r'(Import|ModuleNotFound|Attribute)Error|\bException\b', caught)
                # An error, or the end of the process, replaces nothing.
                if missing and not re.match(r'raise\b|sys\.exit\(', _unparse(handler.body[-1:])):
                    yield handler.lineno, 'another import, or none, where one fails'


def _find_attribute_checks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find calls that check whether a framework has an attribute."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                if _FRAMEWORKS.match(getattr(node, 'module', None) or alias.name):
                    names.add((alias.asname or alias.name).partition('.')[0])
        elif isinstance(node, ast.Call):
            asks = re.match(r'hasattr\((\w+)|getattr\((\w+).*,.*,', ast.unparse(node))
            if asks and (asks[1] or asks[2]) in names:
                yield node.lineno, 'asks a framework whether it has something'


def _unparse(statements: list[ast.stmt]) -> str:
    return '\n'.join(map(ast.unparse, statements))


def test_no_other_module_has_code_for_versions() -> None:
    folders = ('components', 'pipeline', 'data')
    paths = [path for folder in folders for path in (REPO / folder).rglob('*.py')]
    found: list[str] = []
    for path in [REPO / 'pipeline_runner.py', *paths]:
        name = path.relative_to(REPO).as_posix()
        if name != _MODULE:
            found += find_version_code(name, path.read_text(encoding='utf-8'))
    assert not found, f'{_MODULE} is the place for it:\n' + '\n'.join(found)
    assert all((REPO / name).is_file() for name in _MAY_ASK_VERSIONS | _MAY_DO_WITHOUT)


@pytest.mark.parametrize(
    ('code', 'what'),
    [
        ('try:\n    import keras\nexcept ImportError:\n    keras = None', 'another import'),
        ('try:\n    from tfx import a\nexcept (OSError, ImportError):\n    pass', 'another import'),
        ('try:\n    import a\nexcept ModuleNotFoundError:\n    import b as a', 'another import'),
        ('try:\n    import a\nexcept Exception:\n    pass', 'another import'),
        ('import sys\nif sys.version_info < (3, 11):\n    pass', r'sys\.version_info'),
        ('from sys import version_info', 'import version_info'),
        ('import tensorflow as tf\nif tf.__version__ > "2.20":\n    pass', '__version__'),
        ('import tensorflow as tf\ntf.version.VERSION', r'tf\.version'),
        ('import importlib.metadata\nimportlib.metadata.version("tfx")', 'metadata'),
        ('from importlib.metadata import version', 'import version'),
        ('from importlib.util import find_spec', 'import find_spec'),
        ('import keras\nhasattr(keras.ops, "x")', 'asks a framework'),
        ('from google.protobuf import json_format\ngetattr(json_format, "x", 1)', 'asks a'),
        ('x = 1  # TFX 1.21 has it elsewhere', r'TFX 1\.21'),
        ('"""For Keras 3.15."""', r'Keras 3\.15'),
    ],
)
def test_version_code_is_found_when_a_module_has_some(code: str, what: str) -> None:
    (found,) = find_version_code('components/new.py', code)
    assert re.match(rf'components/new\.py:\d+: .*{what}', found)


@pytest.mark.parametrize(
    'code',
    [
        'try:\n    import kfp\nexcept ImportError as err:\n    raise ValueError from err',
        'import os\nhasattr(os, "sched_getaffinity")',
        'settings = 1\ngetattr(settings, "name", None)',
        'try:\n    x()\nexcept AttributeError:\n    pass',
        '# An embedding for Keras 3',
        'import keras\nversion = keras.Variable(1)',
    ],
)
def test_nothing_is_found_when_a_module_has_no_version_code(code: str) -> None:
    assert find_version_code('components/new.py', code) == []


def test_python_versions_equal_those_of_the_locks() -> None:
    assert {stack.name: stack.python for stack in STACKS.values()} == stacks.PYTHONS


def test_only_future_warnings_are_hidden_when_google_clients_are_imported() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        with stacks.quiet_google_imports():
            warnings.warn('Python 3.10 has no future', FutureWarning, stacklevel=1)
            warnings.warn('not of them', UserWarning, stacklevel=1)
        warnings.warn('nor this', FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ['not of them', 'nor this']
