"""Tables of the results on derived tasks."""

from __future__ import annotations

from typing import Any

from benchmarks import elsewhere_report
from tests.benchmarks.test_report import make_results as make_facts


def make_row(name: str, accuracy: float, **figures: Any) -> dict[str, Any]:
    row = {'auc': 0.95, 'average_precision': 0.4321, 'ece': 0.0123, 'seconds': 1.26}
    return {'name': name, 'accuracy': accuracy, **row, **figures}


def make_task(title: str, figure: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = {'training': 1_000, 'held_out': 500, 'positives': 250}
    return {'name': 'x', 'title': title, 'figure': figure, **sizes, 'contenders': rows}


BETTER = {'by': 0.02, 'low': 0.01, 'high': 0.03}
WORSE = {'by': -0.02, 'low': -0.03, 'high': -0.01}


def make_results() -> dict[str, Any]:
    facts = {**make_facts()}
    del facts['contenders']
    first = [make_row('ours', 0.9, ahead=BETTER), make_row('theirs', 0.88)]
    second = [make_row('ours', 0.95, ahead=WORSE), make_row('theirs', 0.95), make_row('late', 0.9)]
    tasks = [
        make_task('some', 'accuracy', first),
        make_task('few positive', 'average_precision', second),
    ]
    return {**facts, 'tasks': tasks}


GOLDEN = """\
| task | learned from | ours | theirs | late |
|---|---:|---:|---:|---:|
| some | 1,000 | 0.900, 0.012 | 0.880, 0.012 |  |
| few positive (average precision) | 1,000 | 0.432, 0.012, worse | 0.432, 0.012 | 0.432, 0.012 |

Measured 2030-01-02 03:04 UTC, commit 0123456789ab, 2 cores (Some CPU), 24 GiB, \
Python 3.10.1, TFX 1.2.3, TensorFlow 4.5.6."""


def test_table_equals_the_golden_table() -> None:
    assert elsewhere_report.markdown(make_results()) == GOLDEN


def test_full_table_has_each_cell() -> None:
    shown = elsewhere_report.full_table(make_results())
    for row in elsewhere_report.cells(make_results()):
        assert all(cell in shown for cell in row)
    assert 'better: accuracy +0.0200 (+0.0100 to +0.0300)' in shown
    assert 'worse: average precision -0.0200 (-0.0300 to -0.0100)' in shown
