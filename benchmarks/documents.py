"""Writes the tables of results into the documents."""

from __future__ import annotations

import pathlib
import re

from benchmarks import history, report
from benchmarks.archive import ROOT
from components.common.errors import DataError

_SUMMARY = ('contender', 'accuracy', 'wall, s', 'of Keras', 'CPU, s', 'CPU of Keras', 'peak, GiB')
# The others have no room for a range.
_SUMMARY_RANGES = ('accuracy', 'of Keras')


def document_tables() -> dict[str, str]:
    """Return the tables for the documents by the names of their markers.

    Raises:
        DataError: There are no results.
    """
    bench, elsewhere = report.load(report.BENCH_FILE), report.load(report.ELSEWHERE_FILE)
    return {
        'bench': f'{report.bench_table(bench)}\n\nMeasured {report.provenance(bench)}.',
        'summary': report.bench_table(bench, _SUMMARY, _SUMMARY_RANGES),
        'history': history.table(history.kept_runs()),
        'elsewhere': f'{report.tasks_table(elsewhere)}\n\nMeasured {report.provenance(elsewhere)}.',
    }


def updated(text: str, name: str, content: str) -> str:
    """Insert `content` between the markers `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

    Raises:
        DataError: The text does not have these markers once.

    >>> updated('<!-- a:begin -->old<!-- a:end -->', 'a', 'new')
    '<!-- a:begin -->\\nnew\\n<!-- a:end -->'
    """
    begin, end = f'<!-- {name}:begin -->', f'<!-- {name}:end -->'
    block = f'{begin}\n{content}\n{end}'
    new, count = re.subn(f'{begin}.*?{end}', lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise DataError(f'expected {begin} and {end} once in this order, found them {count} times')
    return new


def update_document(name: str, content: str, document: pathlib.Path | None = None) -> bool:
    """Update a table in a document; return whether the document changed.

    Args:
        name: Name of the markers, see `updated`.
        content: The table.
        document: The file; None for the one that `find_document` returns.

    Raises:
        DataError: No document has the markers, or more than one has them.
    """
    document = document or find_document(name)
    old = document.read_text(encoding='utf-8')
    new = updated(old, name, content)
    if new != old:
        document.write_text(new, encoding='utf-8')
    return new != old


def find_document(name: str) -> pathlib.Path:
    """Return README.md or the file in docs/ that has the markers of a table."""
    documents = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
    found = [d for d in documents if f'<!-- {name}:begin -->' in d.read_text(encoding='utf-8')]
    if len(found) != 1:
        raise DataError(
            f'expected one document with the marker <!-- {name}:begin -->, found {len(found)}'
        )
    return found[0]
