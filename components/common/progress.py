"""Reports the progress of a node to one logger.

A runner that shows progress handles this logger; any other writes the lines to its log.
"""

from __future__ import annotations

import logging

PROGRESS_LOGGER = 'components.common.progress'


def report_progress(line: str) -> None:
    """Report the progress of a node in one line.

    >>> report_progress('epoch 2 of 10')
    """
    logging.getLogger(PROGRESS_LOGGER).info(line)
