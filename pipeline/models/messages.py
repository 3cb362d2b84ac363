"""What is said of versions in more than one place."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from pipeline.results.outcome import RunOutcome
from pipeline.settings.config import PipelineConfig

# By option, the setting that says the same.
_OPTIONS = {'--root': 'root', '--name': 'name', '--serving-dir': 'serving_dir'}


def models_command(what: str, settings: Mapping[str, Any]) -> str:
    """Return the command line that does something with pushed versions.

    Args:
        what: As `rollback 17`.
        settings: `root`, `name` and `serving_dir`; what is missing, None or the
            default is not said.
    """
    given = [
        f'{option} {shlex.quote(settings[name])}'
        for option, name in _OPTIONS.items()
        if settings.get(name) not in (None, PipelineConfig.model_fields[name].default)
    ]
    return ' '.join(['python pipeline_runner.py models', what, *given])


def withdrawn_lines(outcome: RunOutcome) -> tuple[str, ...]:
    """Say why a blessed model was not pushed, and how to have it back."""
    withdrawn = outcome.withdrawn
    if withdrawn is None:
        return ()
    return (
        f'A rollback on {withdrawn.at} withdrew this model, which was version '
        f'{withdrawn.version}; what is served stays as it was.',
        'To have it back: ' + models_command(f'rollback {withdrawn.version}', outcome.config),
    )
