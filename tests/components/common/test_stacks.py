"""Checks that only one module has code for differences between stacks."""

from __future__ import annotations

import ast
import io
import re
import tokenize
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
_FRAMEWORKS = {
    *('tfx', 'tensorflow', 'keras', 'tensorflow_transform', 'tensorflow_model_analysis'),
    *('tensorflow_data_validation', 'tensorflow_metadata', 'tfx_bsl', 'ml_metadata', 'tensorboard'),
    *('apache_beam', 'kfp', 'kfp_server_api', 'google', 'numpy', 'scipy', 'pyarrow'),
}
# Asking for a version, by the last names of what is called or read.
_VERSIONS = {
    *('sys.version_info', 'sys.hexversion', 'sys.version', 'metadata.version'),
    *('platform.python_version', 'platform.python_version_tuple', 'version.parse', 'tf.version'),
    *('pkg_resources.get_distribution', 'util.find_spec'),
}
_NAMED_VERSION = re.compile(
    r'\b(?:TFX|TF|TensorFlow|Keras|TFT|TFMA|TFDV|TensorBoard|Beam|kfp|KFP|protobuf|[Nn]um[Pp]y|'
    r'SciPy|pyarrow|Arrow|ML Metadata|MLMD|Python)\s+v?\d+\.\d+'
)


def find_version_code(path: str, code: str) -> list[str]:
    """Return where a module handles differences of versions, as `PATH:LINE: what`."""
    tree = ast.parse(code)
    found = [*_find_fallback_imports(tree), *_find_attribute_checks(tree)]
    if path not in _MAY_ASK_VERSIONS:
        found += _find_version_checks(tree)
    found += _find_version_names(code)
    return [f'{path}:{line}: {what}' for line, what in sorted(found)]


def _find_fallback_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            imports = any(isinstance(part, ast.Import | ast.ImportFrom) for part in node.body)
            for handler in node.handlers:
                caught = ast.unparse(handler.type) if handler.type else ''
                missing = re.search(r'(Import|ModuleNotFound|Attribute)Error|\bException\b', caught)
                if imports and missing and not _raises_or_exits(handler.body[-1]):
                    yield handler.lineno, 'another import, or none, where one fails'


def _raises_or_exits(statement: ast.stmt) -> bool:
    """Whether the statement raises or ends the process, so that nothing replaces the import."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return ast.unparse(statement.value.func) == 'sys.exit'
    return isinstance(statement, ast.Raise)


def _find_attribute_checks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find calls that check whether a framework has an attribute."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                (alias.asname or alias.name).partition('.')[0]
                for alias in node.names
                if alias.name.partition('.')[0] in _FRAMEWORKS
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] in _FRAMEWORKS:
            names |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        asks = node.func.id == 'hasattr' or (node.func.id == 'getattr' and len(node.args) == 3)
        if asks and ast.unparse(node.args[0]).partition('.')[0] in names:
            yield node.lineno, 'asks a framework whether it has something'


def _find_version_checks(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = '.'.join(ast.unparse(node).split('.')[-2:])
            if name in _VERSIONS or node.attr == '__version__':
                yield node.lineno, f'asks for {name}'
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                last = (node.module or '').rpartition('.')[2]
                if f'{last}.{alias.name}' in _VERSIONS or alias.name == '__version__':
                    yield node.lineno, f'asks for {alias.name}'


def _find_version_names(code: str) -> Iterator[tuple[int, str]]:
    """Find comments and strings that name a version."""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        # From Python 3.12 on, the text in an f-string is a token of its own.
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for found in _NAMED_VERSION.finditer(token.string):
                yield token.start[0], f'names {" ".join(found[0].split())}'


def test_no_other_module_has_code_for_versions() -> None:
    folders = ('components', 'pipeline', 'data')
    paths = [path for folder in folders for path in (REPO / folder).rglob('*.py')]
    found: list[str] = []
    for path in [REPO / 'pipeline_runner.py', *paths]:
        name = path.relative_to(REPO).as_posix()
        if name != _MODULE:
            found += find_version_code(name, path.read_text(encoding='utf-8'))
    assert not found, f'{_MODULE} is the place for it:\n' + '\n'.join(found)
    assert all((REPO / name).is_file() for name in _MAY_ASK_VERSIONS)


@pytest.mark.parametrize(
    ('code', 'what'),
    [
        ('try:\n    import keras\nexcept ImportError:\n    keras = None', 'another import'),
        ('try:\n    from tfx import a\nexcept (OSError, ImportError):\n    pass', 'another import'),
        ('try:\n    import a\nexcept ModuleNotFoundError:\n    import b as a', 'another import'),
        ('try:\n    import a\nexcept Exception:\n    pass', 'another import'),
        ('import sys\nif sys.version_info < (3, 11):\n    pass', r'asks for sys\.version_info'),
        ('from sys import version_info', 'asks for version_info'),
        ('import tensorflow as tf\nif tf.__version__ > "2.20":\n    pass', '__version__'),
        ('import tensorflow as tf\ntf.version.VERSION', r'asks for tf\.version'),
        ('import importlib.metadata\nimportlib.metadata.version("tfx")', 'metadata'),
        ('from importlib.metadata import version', 'asks for version'),
        ('from importlib.util import find_spec', 'asks for find_spec'),
        ('import keras\nhasattr(keras.ops, "x")', 'asks a framework'),
        ('from google.protobuf import json_format\ngetattr(json_format, "x", 1)', 'asks a'),
        ('x = 1  # TFX 1.21 has it elsewhere', r'names TFX 1\.21'),
        ('"""For Keras 3.15."""', r'names Keras 3\.15'),
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
