"""Reads what the gate decided from the files of a run."""

from __future__ import annotations

from components.common.errors import OutcomeUnknownError
from pipeline.cloud.clients import refusals
from pipeline.cloud.clients.protocol import Verdict
from pipeline.process.logs import no_framework_noise

# TFX's Evaluator leaves one of these empty files in its blessing.
_BLESSED = 'BLESSED'
_NOT_BLESSED = 'NOT_BLESSED'
_PATTERNS = ('Evaluator/blessing/*', 'Evaluator/*/blessing/*')


def read_verdict(folder: str) -> Verdict:
    """Tell from the Evaluator's blessing what became of a run that succeeded.

    If the model is blessed, the Pusher pushed it, or found it live already, or withdrawn
    by a rollback, which cannot be told from here: otherwise it would have failed, and
    the run with it.

    Args:
        folder: Of the run's artifacts, on any storage that TFX can read.

    Raises:
        OutcomeUnknownError: If there is no blessing, or it cannot be read from here.
    """
    found: set[str] = set()
    try:
        # TensorFlow has much to say as it is imported and looks for credentials.
        with no_framework_noise():
            from tfx.dsl.io import fileio

            for pattern in _PATTERNS:
                paths = fileio.glob(f'{folder}/{pattern}')
                found.update(path.rstrip('/').rpartition('/')[2] for path in paths)
    except Exception as err:  # each kind of storage has errors of its own
        reason = refusals.one_line(str(err))
        raise OutcomeUnknownError(f'nothing can be read below {folder}: {reason}') from err
    if _NOT_BLESSED in found:
        return 'not_blessed'
    if _BLESSED in found:
        return 'pushed'
    raise OutcomeUnknownError(f'there is no blessing below {folder}')
