"""A user's module is found, and read without being imported."""

from __future__ import annotations

import pathlib
import re

import pytest

from components.common.errors import ConfigError
from components.user_module.source import find_module
from tests.components.user_module.conftest import Write


def test_module_is_found_and_not_executed_when_it_is_a_file(write: Write) -> None:
    path = write('my_model.py', 'raise SystemExit\ndef preprocessing_fn(inputs): ...\n')
    found = find_module(str(path))
    assert (found.name, found.file, found.folder) == ('my_model', path, path.parent)
    assert found.functions == {'preprocessing_fn': ('inputs',)}
    assert not found.trains
    assert found.reference(local=True)['folder'] == str(path.parent)
    assert found.reference(local=False)['folder'] == ''


def test_module_is_found_when_it_is_part_of_an_installed_package() -> None:
    found = find_module('tfx.examples.imdb.imdb_utils_native_keras')
    assert list(found.functions) == ['preprocessing_fn', 'run_fn']
    assert found.installed
    assert found.trains
    # The version of the package in an image is a matter of the image.
    assert found.reference(local=True) == {'name': found.name, 'folder': '', 'digest': ''}


@pytest.mark.parametrize('definition', ['from own.deep import build_model', 'build_model = len'])
def test_function_counts_when_it_is_imported_or_assigned(write: Write, definition: str) -> None:
    path = write('my_model.py', definition)
    assert list(find_module(str(path)).functions) == ['build_model']


def test_digest_covers_the_modules_beside_it_when_they_are_imported(write: Write) -> None:
    path = write('my_model.py', 'from own.deep import build_model\n')
    write('own/__init__.py', '')
    write('own/deep.py', 'from . import deeper\nimport helper\n')
    write('own/deeper.py', 'import components.transform.text as text\n')
    write('helper.py', '')
    write('other.py', '')
    before = find_module(str(path))
    assert set(before.sources) == {'my_model', 'own', 'own.deep', 'own.deeper', 'helper'}
    assert 'components.transform.text' in before.project
    write('other.py', '# edited')
    assert find_module(str(path)).digest == before.digest
    for name in ('my_model.py', 'own/__init__.py', 'own/deep.py', 'own/deeper.py', 'helper.py'):
        old = find_module(str(path)).digest
        with (path.parent / name).open('a') as file:
            file.write('# edited\n')
        assert find_module(str(path)).digest != old, name


@pytest.mark.parametrize(
    ('name', 'source', 'message'),
    [
        ('my_model.py', 'x = 1\ndef f(:\n', 'my_model.py, line 2: the module is not Python: '),
        ('my_model.py', 'x = 1\n', 'defines none of preprocessing_fn, run_fn, build_model$'),
        ('my_model.py', 'run_fn = build_model = len', 'defines both run_fn and build_model$'),
        ('my-model.py', '', "a module cannot have the name 'my-model'$"),
        ('keras.py', 'run_fn = len', 'the module name keras is taken by .*keras/__init__.py$'),
        ('components.py', 'run_fn = len', 'the module name components is taken by '),
        ('json.py', 'run_fn = len', 'the module name json is taken by Python itself$'),
        ('my_model.txt', '', 'there is no Python file .*my_model.txt$'),
    ],
)
def test_module_is_refused_when(write: Write, name: str, source: str, message: str) -> None:
    path = write(name, source)
    with pytest.raises(ConfigError, match=message) as caught:
        find_module(str(path))
    assert caught.value.hint


def test_module_is_refused_when_one_beside_it_has_the_name_of_a_package(write: Write) -> None:
    path = write('my_model.py', 'import yaml\nrun_fn = len\n')
    find_module(str(path))
    write('yaml.py', '')
    with pytest.raises(ConfigError, match='the module name yaml is taken by '):
        find_module(str(path))


@pytest.mark.parametrize(
    'name', ['absent', 'absent.py', 'tfx.absent', 'no name', 'a..b', '/a/b.py']
)
def test_error_names_the_module_when_there_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match=f'no (Python file|module) {re.escape(name)}$'):
        find_module(name)


def test_examples_are_modules() -> None:
    folder = pathlib.Path(__file__).parents[3] / 'examples'
    for name, functions in (
        ('gru.py', ['build_model']),
        ('tfx_module.py', ['preprocessing_fn', 'run_fn']),
    ):
        assert list(find_module(str(folder / name)).functions) == functions
