"""Prints JSON for commands that are given `--json`."""

from __future__ import annotations

import json
from typing import Any, TextIO


def print_json(value: Any, stream: TextIO | None = None) -> None:
    """Print what a command is asked for with --json, on standard output or elsewhere."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(text, file=stream, flush=stream is not None)
