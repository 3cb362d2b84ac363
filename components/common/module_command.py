"""The command that runs a module of this project in its own process."""

from __future__ import annotations

import pathlib
import sys

_PROJECT = pathlib.Path(__file__).resolve().parents[2]
# `python -m` would search the current folder first, and can find another module of the name.
_RUN = (
    'import runpy, sys; '
    'sys.path[:] = [sys.argv.pop(1), *filter(None, sys.path)]; '
    'runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)'
)


def module_command(module: str, *args: str) -> list[str]:
    """Return a command like `python -m`, which finds this project from any folder.

    Args:
        module: Dotted name of the module.
        args: Arguments of the module.

    Example:
        >>> module_command('components.common.entry_point', '--help')[-2:]
        ['components.common.entry_point', '--help']
    """
    return [sys.executable, '-c', _RUN, str(_PROJECT), module, *args]
