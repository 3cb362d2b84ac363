"""Joins the tables of suspected label errors that the nodes of a run wrote."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable

from components.common import features
from components.common.atomic_write import atomic_write
from components.label_issues.table import format_table, rank_key, read_summary, read_table


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelIssues:
    """Suspected label errors of a run.

    Attributes:
        train: Number of them in `train`; None if the split was not examined, because the model
            has no scores of examples that it did not learn from.
        val: The same of `val`.
        test: The same of `test`.
        file: Path of the table of all of them.
    """

    train: int | None = None
    val: int | None = None
    test: int | None = None
    file: str

    def describe(self) -> str:
        """Return their number in words, with the splits unless all were examined.

        >>> LabelIssues(test=137, file='a.csv').describe()
        '137 suspected errors in test'
        """
        counts = {split: getattr(self, split) for split in features.SPLITS}
        known = {split: count for split, count in counts.items() if count is not None}
        total = sum(known.values())
        where = '' if len(known) == len(counts) else f' in {" and ".join(known)}'
        return f'{total:,} suspected error{"s"[: total != 1]}{where}'


def join_label_issues(folders: Iterable[str], path: pathlib.Path) -> LabelIssues | None:
    """Join the tables of some artifacts into one file.

    Args:
        folders: Folders of artifacts on a disk; those without a table are passed over.
        path: The file to write.

    Returns:
        The numbers; None if no artifact has a table, and no file is written.

    Raises:
        OSError, ValueError: If a table is damaged, or the file cannot be written.
    """
    counts: dict[str, int] = {}
    issues = []
    for folder in folders:
        summary = read_summary(folder)
        if summary is not None:
            counts |= summary.counts
            issues += read_table(folder)
    if not counts:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, format_table(sorted(issues, key=rank_key)))
    known = {split: counts.get(split) for split in features.SPLITS}
    return LabelIssues(**known, file=str(path))
