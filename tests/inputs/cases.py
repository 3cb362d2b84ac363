"""Inputs as people have them, each read as `run`, `doctor` and `predict` read it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components.common.errors import DataError
from components.common.settings import ColumnSettings
from components.example_gen.source_files import read_files
from components.example_gen.sources import discover, list_files
from components.readers.records import Record, Reject
from pipeline.doctor import data as data_checks
from pipeline.doctor.finding import Context, Finding, find_all
from pipeline.predict.rows import open_source
from pipeline.settings.config import DataConfig
from pipeline.store.choice import backend_of_root
from tests.conftest import call_command


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """An input, and what is expected of all commands that read it.

    Attributes:
        name: What is special about it.
        files: Content by name, below one folder.
        data: What `--data` names, relative to the folder; None for the only file.
        columns: Fields of `ColumnSettings`.
        rows: Text and label of each row, in order, if the input can be read.
        rejected: Reason of each rejected row.
        error: Parts of the message if the input is refused.
        exit_code: The exit code of `run` and `doctor` then.
        scored: Whether `predict` reads the input, which is one file then, or refuses it with the
            same message.
    """

    name: str
    files: Mapping[str, bytes]
    data: str | None = None
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    rows: Sequence[tuple[str, str | None]] = ()
    rejected: Sequence[str] = ()
    error: Sequence[str] = ()
    exit_code: int = DataError.exit_code
    scored: bool = True

    @property
    def one_sided(self) -> bool:
        """Whether all labels are the same, as they may be in a few rows; no run accepts it."""
        return len({label for _, label in self.rows if label is not None}) == 1

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        """Write the files, and return what `--data` names."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / (self.data or next(iter(self.files)))

    def options(self) -> list[str]:
        """Return the options of `run` and `doctor`."""
        return [
            option
            for name, value in self.columns.items()
            for option in ('--set', f'data.columns.{name}={json.dumps(value)}')
        ]


def check_case(case: Case, folder: pathlib.Path) -> None:
    """Check that all commands read the same rows, or refuse the input with the same message."""
    path = case.write(folder)
    data = DataConfig(path=str(path), columns=ColumnSettings.model_validate(case.columns))
    findings = find_data(folder, path, **case.columns)
    if case.error:
        run = call_command('run', '--data', str(path), *case.options(), cwd=folder)
        assert run.code == case.exit_code, run.err
        _require_refusal(run.err, case)
        assert not (folder / 'runs' / 'serving').exists()
        problems = [each for each in findings if each.error is not None]
        assert [each.error.exit_code for each in problems if each.error] == [case.exit_code]
        _require_refusal(f'{problems[0].message}; {problems[0].hint}', case)
        if case.scored:
            with path.open('rb') as stream, pytest.raises(DataError, match='.') as caught:
                list(open_source(stream, path.name, data.columns).rows)
            _require_refusal(f'{caught.value}; {caught.value.hint}', case)
        return
    refused = [each.message.partition(':')[0] for each in findings if each.error is not None]
    assert refused == (['all labels are the same'] if case.one_sided else []), findings
    source = discover(data.path, data.columns)
    found = [
        record
        for split, file in list_files(source)
        for record in read_files(source.kind, [file], data.columns, split)
    ]
    rows = [(each.text, each.label) for each in found if isinstance(each, Record)]
    assert rows == [*case.rows]
    assert [each.reason for each in found if isinstance(each, Reject)] == [*case.rejected]
    if case.scored and not case.rejected:
        with path.open('rb') as stream:
            scored = [row.text for row in open_source(stream, path.name, data.columns).rows]
        assert scored == [text for text, _ in case.rows]


def find_data(folder: pathlib.Path, path: pathlib.Path, **columns: Any) -> list[Finding]:
    """Return what `doctor` finds in data, with the root of the runs in a folder."""
    data = DataConfig(path=str(path), columns=ColumnSettings(**columns))
    return [*find_all(data_checks.CHECKS, context_of(folder, data))]


def context_of(folder: pathlib.Path, data: DataConfig) -> Context:
    """Return the input of the checks of `doctor`."""
    root = folder / 'runs'
    return Context(
        root=root, serving_dir=root / 'serving', backend=backend_of_root(root, None), data=data
    )


def _require_refusal(message: str, case: Case) -> None:
    for part in case.error:
        assert part in message, message
    # Never a kilobyte of the data.
    assert max(map(len, message.splitlines())) < 1_000, message
