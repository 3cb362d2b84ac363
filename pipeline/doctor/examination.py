"""What `doctor` does: looks at everything, and says what to do."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from components.common.errors import ReviewsError
from pipeline.doctor import data as data_checks
from pipeline.doctor import installation, served, store
from pipeline.doctor.finding import Area, Finding, Say
from pipeline.doctor.view import Findings
from pipeline.process.logs import no_framework_noise
from pipeline.settings.config import DataConfig
from pipeline.settings.metadata import MetadataSettings
from pipeline.store.choice import backend_of_root


def examine(
    root: pathlib.Path,
    serving_dir: pathlib.Path,
    data: DataConfig | None,
    metadata: MetadataSettings | None,
    *,
    as_json: bool,
) -> None:
    """Look at everything, and show each finding when it is there. Nothing is changed.

    Args:
        root: The folder for all that runs write.
        serving_dir: The folder of versions.
        data: The data; None to leave it out.
        metadata: Where ML Metadata is; None for where the latest run has it.
        as_json: Print JSON for machines.

    Raises:
        ReviewsError: If there is a problem; of its class, with the first one.
    """
    found: list[tuple[Area, Finding]] = []
    with no_framework_noise() as terminal:
        stream: TextIO = terminal.err if as_json else terminal.out
        with Findings(stream, terminal.err, quiet=as_json) as shown:
            for area, check in _checks(root, serving_dir, data, metadata):
                shown.area(area)
                for finding in check(shown.say):
                    shown.show(finding)
                    found.append((area, finding))
            shown.end([finding for _, finding in found])
    if as_json:
        from pipeline.terminal.json_output import print_json

        print_json([{'area': area, **_fields(finding)} for area, finding in found])
    sys.stdout.flush()
    problems = [finding for _, finding in found if finding.state == 'problem']
    if problems:
        raise problems[0].error(problems[0].told, hint=problems[0].todo)


def _checks(
    root: pathlib.Path,
    serving_dir: pathlib.Path,
    data: DataConfig | None,
    metadata: MetadataSettings | None,
) -> Iterator[tuple[Area, Callable[[Say], Iterator[Finding]]]]:
    yield 'installation', lambda say: installation.check(root, say)
    yield 'store', lambda say: store.check(root, serving_dir, backend_of_root(root, metadata), say)
    yield 'served', lambda say: served.check(serving_dir, say)
    if data is not None:
        yield 'data', lambda say: data_checks.check(data, say)


def _fields(finding: Finding) -> dict[str, str | int]:
    fields = dataclasses.asdict(finding)
    error: type[ReviewsError] = fields.pop('error')
    return {**fields, 'exit_code': error.exit_code if finding.state == 'problem' else 0}
