"""Prepares the section of the suspected label errors."""

from __future__ import annotations

from typing import Any

from components.common import features
from pipeline.report.view import Missing, Report


def label_errors(report: Report) -> dict[str, Any] | Missing:
    """Return sentences about the suspected label errors, and the first of them."""
    if isinstance(report.label_issues, Missing):
        return report.label_issues
    counts = report.label_issues.counts
    total = sum(counts.values())
    listed = ', '.join(f'{split} {counts[split]:,}' for split in features.SPLITS if split in counts)
    sentence = (
        f'{total:,} label{"s are" if total != 1 else " is"} probably wrong: {listed}.'
        if total
        else f'No label of {" and ".join(counts)} is suspected to be wrong.'
    )
    others = [split for split in features.SPLITS if split not in counts]
    if features.TRAIN_SPLIT in others:
        sentence += (
            f' The labels of {" and ".join(others)} were not examined, because this model has no '
            'scores of examples that it did not learn from.'
        )
    issues = report.outcome.label_issues
    return {
        'summary': sentence,
        'shown': report.label_issues.shown,
        'file': issues.file if issues else None,
    }
