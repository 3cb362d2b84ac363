"""The code never executes Python that comes from data, settings or a model folder."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

from tests.conftest import REPO

_OURS = ('components', 'pipeline', 'data', 'requirements', 'benchmarks')
# Modules and functions that can execute, load or unpack their input.
_MODULES = {
    'cPickle', 'cloudpickle', 'code', 'codeop', 'ctypes', 'dill', 'joblib', 'jsonpickle',
    'marshal', 'pickle', 'runpy', 'shelve',
}  # fmt: skip
_CALLS = {
    '__import__', 'compile', 'eval', 'exec', 'exec_module', 'extract', 'extractall',
    'full_load', 'full_load_all', 'import_module', 'popen', 'system', 'unpack_archive',
    'unsafe_load', 'unsafe_load_all', 'enable_unsafe_deserialization', 'py_function',
    'numpy_function', 'load_model', 'from_config', 'model_from_json', 'model_from_yaml',
}  # fmt: skip
_ALLOWED = {
    ('benchmarks/peers/__main__.py', 'import_module'): 'a constant name, from contenders.py',
    ('benchmarks/peers/fasttext_bigrams.py', 'load_model'): 'loads its own model',
    ('benchmarks/peers/keras_tutorial.py', 'load_model'): 'a format without code',
    ('benchmarks/peers/sklearn_models.py', 'joblib'): 'saves and loads its own model',
    ('benchmarks/score.py', 'import_module'): 'a constant name, from contenders.py',
    ('components/common/entry_point.py', 'import_module'): 'a name from the compiled pipeline',
    ('components/common/entry_point.py', 'runpy'): 'the entry point of TFX, a constant name',
    ('components/common/worker_files.py', 'pickle'): 'loads only bytes of the digest that the '
    'worker sent with the record',
    ('components/trainer/models/__init__.py', 'import_module'): 'an architecture by its name, '
    'which the settings take from a list',
    ('components/user_module/loading.py', 'import_module'): 'the module that the user passes with '
    '--module',
    ('pipeline/settings/safe_yaml.py', 'yaml.load'): 'with a stricter SafeLoader',
    ('requirements/lock.py', 'runpy'): 'setup.py of this project',
}


def _findings(path: pathlib.Path) -> Iterator[tuple[str, int]]:
    """Yield name and line of each dangerous import or call in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split('.')[0] in _MODULES:
                    yield alias.name.split('.')[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or '').split('.')[0]
            if not node.level and module in _MODULES:
                yield module, node.lineno
            for alias in node.names:
                if alias.name in _CALLS and alias.name != 'compile':
                    yield alias.name, node.lineno
        elif isinstance(node, ast.Call):
            yield from ((name, node.lineno) for name in _dangers_of(node))


def _dangers_of(node: ast.Call) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ''
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    owner_name = owner.id if isinstance(owner, ast.Name) else ''
    if isinstance(node.func, ast.Name):
        name = node.func.id
    harmless = {'compile': owner is not None, 'system': owner_name == 'platform'}
    if name in _CALLS and not harmless.get(name):
        yield name
    if owner_name == 'yaml' and name in ('load', 'load_all', 'Loader', 'UnsafeLoader'):
        yield f'yaml.{name}'
    for keyword in node.keywords:
        value = keyword.value
        true = isinstance(value, ast.Constant) and value.value is True
        if keyword.arg in ('shell', 'allow_pickle') and true:
            yield f'{keyword.arg}=True'
        if keyword.arg == 'safe_mode' and isinstance(value, ast.Constant) and not value.value:
            yield 'safe_mode=False'


def _modules() -> list[pathlib.Path]:
    found = [path for folder in _OURS for path in (REPO / folder).rglob('*.py')]
    return sorted([*found, REPO / 'pipeline_runner.py', REPO / 'setup.py'])


def test_code_executes_no_input_except_for_listed_reasons() -> None:
    found = {
        (path.relative_to(REPO).as_posix(), what): line
        for path in _modules()
        for what, line in _findings(path)
    }
    unexpected = {where: line for where, line in found.items() if where not in _ALLOWED}
    assert not unexpected
    # An exception that is no longer needed could hide a new problem.
    assert _ALLOWED.keys() <= found.keys()


@pytest.mark.parametrize(
    'code',
    [
        'import pickle',
        'from pickle import loads',
        'import marshal as m',
        'eval("1")',
        'exec(text)',
        'yaml.load(text)',
        'yaml.load(text, Loader=yaml.SafeLoader)',
        'yaml.unsafe_load(text)',
        'np.load(path, allow_pickle=True)',
        'tarfile.open(path).extractall(folder)',
        'subprocess.run(command, shell=True)',
        'os.system(command)',
        'tf.keras.models.load_model(path)',
        'tf.py_function(f, [x], tf.string)',
        'from importlib import import_module',
        '__import__(name)',
    ],
)
def test_scan_finds_dangerous_code(code: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.py').write_text(code + '\n')
    assert list(_findings(tmp_path / 'a.py'))


@pytest.mark.parametrize('code', ['re.compile(x)', 'model.compile()', 'tf.saved_model.load(x)'])
def test_scan_accepts_harmless_code(code: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / 'a.py').write_text(code + '\n')
    assert not list(_findings(tmp_path / 'a.py'))
