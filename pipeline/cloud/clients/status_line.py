"""Lines on standard error about the progress of a request."""

from __future__ import annotations

import datetime
import sys

from components.common.secrets import mask


def print_status(line: str) -> None:
    """Print a line with its time to standard error."""
    print(f'{datetime.datetime.now():%H:%M:%S} {mask(line)}', file=sys.stderr, flush=True)
