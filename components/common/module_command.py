"""The command that runs a module of this code in a process of its own."""

from __future__ import annotations

import pathlib
import sys

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
# `python -m` would look in the current folder first, and may find others of these names there.
_RUN = (
    'import runpy, sys; '
    'sys.path[:] = [sys.argv.pop(1), *filter(None, sys.path)]; '
    'runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)'
)


def module_command(module: str, *args: str) -> list[str]:
    """Return what does the same as `python -m`, with the module of this code, from anywhere.

    Args:
        module: Its dotted name.
        args: What it is given.
    """
    return [sys.executable, '-c', _RUN, str(_PROJECT), module, *args]
