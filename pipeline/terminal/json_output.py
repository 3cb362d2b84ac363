"""Prints the JSON output of commands with `--json`."""

from __future__ import annotations

import json
from typing import Any, TextIO


def print_json(value: Any, stream: TextIO | None = None) -> None:
    """Print a value as JSON, on standard output by default."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(text, file=stream, flush=stream is not None)
