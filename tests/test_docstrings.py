"""The usage examples in docstrings run and return what they show."""

from __future__ import annotations

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ('components', 'pipeline', 'data', 'requirements', 'benchmarks')
MODULES = [
    path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.').removesuffix('.__init__')
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob('*.py'))
    if 'peers' not in path.parts and '>>>' in path.read_text(encoding='utf-8')
]


@pytest.mark.parametrize('name', MODULES)
def test_docstring_examples_return_what_they_show(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A checkout may have a folder of runs, which an example does not expect.
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=options).failed == 0
