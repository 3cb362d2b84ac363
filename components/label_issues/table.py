"""The table of suspected label errors, and the files of it in an artifact; imports no TensorFlow.

The table has no texts, so that it can be shared. A file beside it has those of the first rows, for
the report.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from typing import NamedTuple

import pydantic

# Relative to the artifacts `model_run` and `evaluation`.
TABLE_FILE = 'report/label_issues.csv'
SUMMARY_FILE = 'report/label_issues.json'
SHOWN_ISSUES = 20

_COLUMNS = ('rank', 'split', 'file', 'line', 'given', 'suggested', 'probability')


class LabelIssue(NamedTuple):
    """An example whose label is probably wrong.

    Attributes:
        split: `train`, `val` or `test`.
        file: The file of its row, see `origins.Origin`.
        line: The line of its row, None if the file is a single text.
        given: The name of its label.
        suggested: The name of the other label.
        probability: Predicted probability of the positive label, in [0, 1].
    """

    split: str
    file: str
    line: int | None
    given: str
    suggested: str
    probability: float

    @property
    def where(self) -> str:
        """File and line as text."""
        if not self.file:
            return f'example {self.line:,} of {self.split}'
        return self.file if self.line is None else f'{self.file}:{self.line}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownIssue:
    """A suspected label error with its text.

    Attributes:
        issue: The row of the table.
        text: The beginning of the text.
        cut: Whether the text is longer.
    """

    issue: LabelIssue
    text: str
    cut: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class IssueSummary:
    """What the report shows of a table.

    Attributes:
        counts: Number of suspected errors by split, of the splits that were examined.
        shown: The first `SHOWN_ISSUES` rows of the table.
    """

    counts: dict[str, int]
    shown: list[ShownIssue]


_SUMMARY = pydantic.TypeAdapter(IssueSummary)


def rank_key(issue: LabelIssue) -> tuple[float, str, str, int]:
    """Return a sort key: the lowest probability of the given label first, then by file and line.

    >>> first = LabelIssue('test', 'a.csv', 3, 'pos', 'neg', 0.02)
    >>> second = LabelIssue('train', 'a.csv', 7, 'neg', 'pos', 0.97)
    >>> [issue.line for issue in sorted([second, first], key=rank_key)]
    [3, 7]
    """
    # The given label is always the less probable one.
    confidence = min(issue.probability, 1 - issue.probability)
    return confidence, issue.split, issue.file, issue.line or 0


def format_table(issues: Sequence[LabelIssue]) -> bytes:
    """Return issues that are sorted already as a CSV file with a header, in UTF-8."""
    file = io.StringIO(newline='')
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(_COLUMNS)
    for number, issue in enumerate(issues, start=1):
        split, file_name, line, *names, probability = issue
        texts = [_printable(text) for text in (file_name, *names)]
        writer.writerow((number, split, texts[0], line, *texts[1:], f'{probability:.6f}'))
    return file.getvalue().encode()


def _printable(text: str) -> str:
    # A reader of CSV may take a control character for the end of a line.
    return text if text.isprintable() else ''.join(c if c.isprintable() else ' ' for c in text)


def parse_table(content: bytes) -> list[LabelIssue]:
    """Parse the content of a file that `format_table` made; a ValueError means it is damaged.

    >>> issue = LabelIssue('test', 'a.csv', None, 'pos', 'neg', 0.25)
    >>> parse_table(format_table([issue])) == [issue]
    True
    """
    rows = csv.reader(io.StringIO(content.decode('utf-8'), newline=''))
    if tuple(next(rows, ())) != _COLUMNS:
        raise ValueError('not a table of label issues')
    return [
        LabelIssue(split, file, int(line) if line else None, given, suggested, float(probability))
        for _, split, file, line, given, suggested, probability in rows
    ]


def format_summary(summary: IssueSummary) -> bytes:
    """Return the content of the file that `read_summary` reads."""
    return _SUMMARY.dump_json(summary)


def read_summary(folder: str) -> IssueSummary | None:
    """Read the summary from the folder of an artifact on a disk.

    Returns:
        None if the artifact has none: an older version wrote it, or the model has no scores of
        examples that it did not learn from.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with open(os.path.join(folder, SUMMARY_FILE), 'rb') as file:
            return _SUMMARY.validate_json(file.read())
    except FileNotFoundError:
        return None


def merge_summaries(summaries: Sequence[IssueSummary]) -> IssueSummary:
    """Return the summary of all tables of some summaries, of different splits."""
    shown = sorted(
        (each for summary in summaries for each in summary.shown),
        key=lambda each: rank_key(each.issue),
    )
    counts = {split: n for summary in summaries for split, n in summary.counts.items()}
    return IssueSummary(counts=counts, shown=shown[:SHOWN_ISSUES])


def read_table(folder: str) -> list[LabelIssue]:
    """Read the table from the folder of an artifact on a disk that has a summary.

    Raises:
        OSError, ValueError: If the file is missing or damaged.
    """
    with open(os.path.join(folder, TABLE_FILE), 'rb') as file:
        return parse_table(file.read())
