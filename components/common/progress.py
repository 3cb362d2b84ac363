"""How a step tells what it is doing, wherever it runs.

A line goes to one logger; a runner that shows progress listens to it, any
other leaves it in its log.
"""

from __future__ import annotations

import logging

PROGRESS_LOGGER = 'components.common.progress'


def report_progress(line: str) -> None:
    """Tell in one line how far the step is."""
    logging.getLogger(PROGRESS_LOGGER).info(line)
