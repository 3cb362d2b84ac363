"""Messages about versions that several commands and the report print."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from pipeline.results.outcome import RunOutcome
from pipeline.settings.config import PipelineConfig

# The settings of the options that locate a serving folder.
_OPTIONS = {'--root': 'root', '--name': 'name', '--serving-dir': 'serving_dir'}


def models_command(what: str, settings: Mapping[str, Any]) -> str:
    """Return a command line of the group `models`.

    Args:
        what: The command, as `rollback 17`.
        settings: `root`, `name` and `serving_dir`. Settings that are missing, None or
            the default are left out.

    >>> models_command('rollback 17', {'root': 'elsewhere', 'name': None})
    'python pipeline_runner.py models rollback 17 --root elsewhere'
    """
    given = [
        f'{option} {shlex.quote(settings[name])}'
        for option, name in _OPTIONS.items()
        if settings.get(name) not in (None, PipelineConfig.model_fields[name].default)
    ]
    return ' '.join(['python pipeline_runner.py models', what, *given])


def withdrawn_lines(outcome: RunOutcome) -> tuple[str, ...]:
    """Return lines that say why a blessed model was not pushed, and how to restore it."""
    withdrawn = outcome.withdrawn
    if withdrawn is None:
        return ()
    return (
        f'A rollback on {withdrawn.at} withdrew this model, which was version '
        f'{withdrawn.version}. The live version stays live.',
        'To restore the model: ' + models_command(f'rollback {withdrawn.version}', outcome.config),
    )
