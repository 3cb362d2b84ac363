"""The ids of executions, of which each names the folders of what it made."""

from __future__ import annotations

import pathlib


def highest_execution(artifacts: pathlib.Path) -> int:
    """Return the highest id in the folders `NAME/NODE/OUTPUT/ID`; 0 if there is none."""
    return max(
        (int(p.name) for p in artifacts.glob('*/*/*/*') if p.name.isdecimal()), default=0
    )
