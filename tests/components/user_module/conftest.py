"""Writes modules of a user."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest

Write = Callable[..., pathlib.Path]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Iterator[Write]:
    """Return a function that writes a file of a user's folder, and forget what was imported."""
    before = set(sys.modules)

    def write_file(name: str, source: str) -> pathlib.Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    yield write_file
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], '__file__', '')):
            del sys.modules[name]
