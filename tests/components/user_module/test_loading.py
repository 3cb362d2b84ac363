"""A user's module is imported where it runs, and its errors name the place."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from components.common.errors import ComponentError, ConfigError
from components.user_module.loading import call, load_module
from components.user_module.source import find_module
from tests.components.user_module.conftest import Write


def reference(path: pathlib.Path, *, local: bool = True) -> dict[str, Any]:
    return find_module(str(path)).reference(local=local)


def test_module_beside_it_is_imported_and_an_edit_of_it_counts(write: Write) -> None:
    path = write('user_one.py', 'from beside_one import VALUE\ndef run_fn(x): return VALUE + x\n')
    write('beside_one.py', 'VALUE = 1\n')
    assert call(reference(path), 'run_fn', 2) == 3
    write('beside_one.py', 'VALUE = 40  # edited\n')
    assert call(reference(path), 'run_fn', 2) == 42


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('run_fn = len\nimport nothing_there\n', 'cannot be imported at .*py, line 2: ModuleNot'),
        ('run_fn = len\n1 / 0\n', 'cannot be imported at .*py, line 2: ZeroDivisionError: div'),
        ('run_fn = len\nraise SystemExit(3)\n', 'be imported at .*py, line 2: SystemExit: 3'),
        ('def run_fn(x):\n    return [][x]\n', 'run_fn of the module .* at .*py, line 2: IndexE'),
        ('run_fn = 3\n', 'py has no function run_fn$'),
    ],
)
def test_error_names_file_and_line_when_the_module_fails(
    write: Write, source: str, message: str, request: pytest.FixtureRequest
) -> None:
    path = write(f'user_{abs(hash(request.node.name))}.py', source)
    with pytest.raises(ComponentError, match=message):
        call(reference(path), 'run_fn', 1)


def test_error_of_this_project_is_passed_on_when_a_function_raises_one(write: Write) -> None:
    path = write(
        'user_two.py',
        'from components.common.errors import ConfigError\n'
        'def run_fn(): raise ConfigError("wrong", hint="right")\n',
    )
    with pytest.raises(ConfigError, match='^wrong$'):
        call(reference(path), 'run_fn')


def test_error_says_so_when_an_image_has_no_such_module(write: Write) -> None:
    path = write('user_three.py', 'run_fn = len\n')
    with pytest.raises(ComponentError, match='^Python finds no module user_three here$') as caught:
        load_module(reference(path, local=False))
    assert 'Dockerfile' in caught.value.hint


def test_error_says_so_when_an_image_has_another_content(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('user_four.py', 'import beside_four\nrun_fn = len\n')
    write('beside_four.py', '')
    compiled = reference(path, local=False)
    monkeypatch.syspath_prepend(path.parent)
    assert load_module(compiled).run_fn is len
    write('beside_four.py', '# edited')
    with pytest.raises(ComponentError, match='user_four.py is not the module user_four that .*'):
        load_module(compiled)
